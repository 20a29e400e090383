"""Comparisons of methods that write folders, and the experiments of the papers by name."""
