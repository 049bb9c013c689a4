"""Oracles of losses/latent.py, from the sources: numbers of any precision in, one number out."""
