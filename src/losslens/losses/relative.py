"""Pointwise losses of non-negative data that judge an error by the size of the target."""
