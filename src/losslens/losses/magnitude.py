"""Profile losses that judge direction and size together: distances between rows."""
