"""Oracles of losses/triplets.py, from the sources: numbers of any precision in, one number out."""
