"""Oracles of losses/relative.py, from the sources: numbers of any precision in, one number out."""
