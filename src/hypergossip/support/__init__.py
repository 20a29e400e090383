"""Utilities for all layers above: checks of arguments, compilation, devices and processes, the registry of names."""
