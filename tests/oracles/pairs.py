"""Oracles of losses/pairs.py, from the sources: numbers of any precision in, one number out."""
