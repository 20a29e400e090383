"""Comparisons of methods in folders, and the papers' experiments by name."""
