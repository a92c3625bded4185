"""The figures of the papers, drawn anew from the data, the networks and the runs."""
