"""The face of the laboratory: the command, its page and its picture, and the report on pitfalls."""
