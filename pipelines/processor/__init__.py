"""What this processor does well, as ratios of times taken in turn."""
