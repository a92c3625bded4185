"""What the runs say of the papers."""
