"""Runs drive a search on a problem; they own the disk and the screen."""
