"""Negative log-likelihoods of binary data and of numbers between 0 and 1, in nats."""
