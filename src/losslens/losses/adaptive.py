"""A likelihood whose robustness is learned from the data."""
