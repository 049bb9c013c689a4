"""Asymmetric pointwise losses: too much and too little cost differently."""
