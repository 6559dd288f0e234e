"""NEAT."""
