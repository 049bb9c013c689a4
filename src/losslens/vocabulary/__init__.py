"""Floor 0: the words every other floor speaks, with no dependency on any of them."""
