"""Watching agents on a network: what they report, collected and shown live in the terminal and in a browser."""
