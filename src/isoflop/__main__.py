"""``python -m isoflop``: the command line, where its script is not on the path."""

from isoflop.cli.main import main

if __name__ == "__main__":
    main()
