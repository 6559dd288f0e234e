"""Data become figures; no run directories."""
