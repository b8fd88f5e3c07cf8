"""`python -m bellhand`, and the command `bellhand`."""

import sys

COMPLETE = "__complete"  # what the shell's completion asks with, at every Tab


def main() -> None:
    """Runs the command line and exits with its code."""
    if sys.argv[1:2] == [COMPLETE]:
        from bellhand.cli.completing import complete

        complete(sys.argv[2:])
        return
    from bellhand import lean as lean  # before anything that logs
    from bellhand.cli.app import main as command_line

    sys.exit(command_line())


if __name__ == "__main__":
    main()
