"""Genomes: what mutates, and how it becomes a network."""
