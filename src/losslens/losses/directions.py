"""The likelihood of directions, in nats per profile."""
