"""Searches breed genomes and never score them."""
