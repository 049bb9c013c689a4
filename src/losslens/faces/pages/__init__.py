"""The pages of the catalogue: one member as data, its curves, and both as terminal, HTML and Markdown."""
