"""Oracles of losses/adaptive.py, from the sources: numbers of any precision in, one number out."""
