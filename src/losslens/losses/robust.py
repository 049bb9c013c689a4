"""Robust pointwise losses: the pull of an outlier levels off or fades."""
