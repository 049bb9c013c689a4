"""Losses between images, given as rows of pixels."""
