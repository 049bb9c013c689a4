"""Oracles of losses/magnitude.py, from the sources: numbers of any precision in, one number out."""
