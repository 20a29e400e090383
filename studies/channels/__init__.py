"""What each channel does to each method, the laws beside the measurements, and the bytes to a given accuracy."""
