"""Oracles of losses/codes.py, from the sources: numbers of any precision in, one number out."""
