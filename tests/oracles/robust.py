"""Oracles of losses/robust.py, from the sources: numbers of any precision in, one number out."""
