"""The WANN search."""
