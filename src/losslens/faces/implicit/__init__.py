"""Coordinate networks for users: the command and the function `implicit`, what they read, draw and write."""
