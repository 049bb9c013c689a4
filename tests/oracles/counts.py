"""Oracles of losses/counts.py, from the sources: numbers of any precision in, one number out."""
