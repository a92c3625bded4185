"""The built-in data sets, drawn from a seed."""
