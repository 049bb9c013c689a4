"""Oracles of losses/directions.py, from the sources: numbers of any precision in, one number out."""
