"""The deployment of agents: one description of a network, and from it every agent's files, services and processes."""
