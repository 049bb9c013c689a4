"""Oracles of losses/redundancy.py, from the sources: numbers of any precision in, one number out."""
