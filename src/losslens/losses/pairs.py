"""Losses of pairs: what belongs together comes near, what does not goes apart."""
