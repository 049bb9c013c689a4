"""Oracles of losses/contrastive.py, from the sources: numbers of any precision in, one number out."""
