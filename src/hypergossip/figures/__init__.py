"""Figures of histories, networks, distributions and episodes, by Matplotlib."""
