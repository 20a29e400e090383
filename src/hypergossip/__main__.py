"""``python -m hypergossip`` is the command line, also where the script is not on the path."""

from hypergossip.lab.cli import main

if __name__ == "__main__":
    main()
