"""Data sets as annotation tools export them."""
