"""Losses of a latent distribution: its distance from a prior."""
