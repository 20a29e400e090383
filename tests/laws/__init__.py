"""What holds for every algorithm on every engine: the table of what is expected of whom, and how the tests run them."""
