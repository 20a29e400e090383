"""The contract: the interfaces that an author of a method implements or uses, and the problem to be solved."""
