"""Oracles of losses/unit.py, from the sources: numbers of any precision in, one number out."""
