"""Runs: solve and tune, the loop of rounds, snapshots on disk, checks before the first round, and results."""
