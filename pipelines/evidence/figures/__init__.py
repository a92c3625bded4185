"""The figures of both papers, drawn anew from the data, the networks and the runs."""
