"""The register of faults: what each is called, what it breaks, and how long it goes on."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from . import catalogue

if TYPE_CHECKING:
    from .stage import Stage

Body = Callable[["Stage"], Awaitable[None]]


@dataclass(frozen=True)
class Fault:
    """One fault. `seconds`: how long it goes on; `drain_seconds`: how long what is left may take once it is over."""

    name: str
    title: str
    body: Body
    seconds: float
    drain_seconds: float = 60.0
    postgres: dict[str, str] = field(default_factory=dict)  # settings of the server
    durable: bool = False  # the server must survive a crash
    daemons_may_end: bool = False  # by themselves; they are started again
    roll_call: bool = True  # every daemon must work once more in the end


class Skip(Exception):
    """This fault cannot be played here; the text says why."""


FAULTS: dict[str, Fault] = {}


def fault(name: str, title: str, **how: object) -> Callable[[Body], Body]:
    """Register a coroutine as a fault; `how` are the fields of Fault."""

    def bind(body: Body) -> Body:
        assert name not in FAULTS, f"two faults are called {name}"
        FAULTS[name] = Fault(name, title, body, **how)  # type: ignore[arg-type]
        return body

    return bind


def load() -> dict[str, Fault]:
    """All faults by name, in the order of their numbers."""
    for module in pkgutil.iter_modules(catalogue.__path__):
        importlib.import_module(f"{catalogue.__name__}.{module.name}")
    return dict(sorted(FAULTS.items(), key=lambda item: in_order(item[0])))


def in_order(name: str) -> tuple[int, str]:
    """Faults by their numbers, those of one number by their names."""
    digits = "".join(c for c in name.partition("-")[0] if c.isdigit())
    return int(digits or 0), name
