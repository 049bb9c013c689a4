"""Ranking losses over triplets: the anchor nearer to its positive than to its negative."""
