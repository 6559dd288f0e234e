"""A network, and a problem, become numbers; no pictures, no run directories."""
