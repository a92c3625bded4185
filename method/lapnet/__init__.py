"""LapNet: per-object normalised overlap, ambiguity management, learned weights."""
