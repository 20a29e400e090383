"""Every agent's data: read, checked, held on devices, and evaluated as a whole."""
