"""Whole episodes as one kernel of an accelerator."""
