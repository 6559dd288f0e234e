"""One file for each library of environments."""
