"""The papers' methods once more, in NumPy and from the equations alone: what the library is held against."""
