"""The panels of a command's --help, in their order: what is its own comes before what every command takes."""

from __future__ import annotations

from cyclopts import App, Group

OPTIONS = Group("Options", sort_key=50)
EVERY = Group("Options of every command", sort_key=100)


def group(name: str, help: str) -> App:
    """A command that has commands of its own."""
    return App(name=name, help=help, group_parameters=OPTIONS)
