"""What a run is: its specification, where specifications come from, and the folder it leaves."""
