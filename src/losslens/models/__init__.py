"""Floor 2: networks and objectives, described by frozen specs."""
