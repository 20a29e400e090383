"""The zoo of problems."""
