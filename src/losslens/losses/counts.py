"""Negative log-likelihoods of counts, in nats."""
