"""Experiments in files and folders: configurations, the papers' experiments, reports, and the command line."""
