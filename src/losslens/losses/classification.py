"""Losses of class scores: one right class, several, or probabilities over classes."""
