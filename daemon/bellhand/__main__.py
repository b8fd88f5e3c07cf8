"""`python -m bellhand`, and the command `bellhand`."""

import sys


def main() -> None:
    """Runs the command line and exits with its code."""
    from bellhand.cli.app import main as command_line

    sys.exit(command_line())


if __name__ == "__main__":
    main()
