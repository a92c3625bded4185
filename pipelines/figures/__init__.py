"""Figures 1-4 of the scale-aware SSD paper, drawn anew from the data, the network and the runs."""
