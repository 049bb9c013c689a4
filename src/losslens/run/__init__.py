"""Floor 4: trials, the training loop, and the machinery that runs many of them. Import the module you need."""
