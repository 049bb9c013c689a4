"""Oracles of losses/asymmetric.py, from the sources: numbers of any precision in, one number out."""
