"""Two-view losses that contrast a pair with the rest of the batch."""
