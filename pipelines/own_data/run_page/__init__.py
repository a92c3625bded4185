"""The page of one model on one split: how good it is, where it fails, what to do next."""
