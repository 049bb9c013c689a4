"""Floor 2: profiles, their readers, the gate that looks at them, transforms and splits."""
