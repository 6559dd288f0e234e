"""Networks run here; they know no genome, problem or search."""
