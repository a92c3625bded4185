"""A study that was made here beside the one that was committed."""
