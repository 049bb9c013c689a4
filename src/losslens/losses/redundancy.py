"""Two-view losses without negatives: agreement plus something that keeps codes from collapsing."""
