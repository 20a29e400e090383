"""The contract: what an author of a method reads and writes, and the problem that an algorithm solves."""
