"""Testing handlers on a real Postgres: what the pytest fixture `bellhand` is and what it returns."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .desk import Bellhand, Clock, Report, StepReport

__all__ = ["Bellhand", "Clock", "Report", "StepReport"]
DSN_VARIABLE = "BELLHAND_TEST_DSN"  # a server on which tests may create databases


def __getattr__(name: str) -> Any:
    # Late, because pytest imports the plugin beside this in every session, used or not.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import desk

    return getattr(desk, name)
