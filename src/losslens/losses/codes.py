"""Penalties on a code: sparsity, activity rates, contraction."""
