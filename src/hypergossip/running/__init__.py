"""Running algorithms: `solve` and `tune`, the loop of rounds, checkpoints, checks before a run, and results."""
