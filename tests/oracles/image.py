"""Oracles of losses/image.py, from the sources: numbers of any precision in, one number out."""
