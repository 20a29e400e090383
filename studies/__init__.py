"""What makes the figures and the tables of the documentation; each is a command, such as `python -m studies.table`."""
