"""Oracles of losses/classification.py, from the sources: numbers of any precision in, one number out."""
