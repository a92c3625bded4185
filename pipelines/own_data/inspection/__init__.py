"""What there is in a data set, and what looks wrong with it, before anyone trains on it."""
