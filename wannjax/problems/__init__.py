"""Problems score networks; they know no genome and no search."""
