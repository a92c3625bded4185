"""The command line and its errors, whole-file writes, hashes, the machine, energy."""
