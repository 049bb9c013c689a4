"""Floor 6: the command line and the Python functions that a user calls."""
