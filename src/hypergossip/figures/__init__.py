"""Figures of histories, networks, distributions and episodes, by Matplotlib."""

from hypergossip.support.extras import check_installed

check_installed("lab", "A figure", "matplotlib", "PIL")
