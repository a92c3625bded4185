"""For a data set of one's own: what is odd in it, and what fits its objects."""
