"""What is measured; each module has VARIANTS, the variants by peer ("" is any other), and `measure`."""

from __future__ import annotations

from types import ModuleType

from . import degrade, drain, enqueue, floor, idle, notifies, options, pickup, single, steady

FIGURES: dict[str, ModuleType] = {
    "drain": drain,
    "floor": floor,
    "enqueue": enqueue,
    "single": single,
    "pickup": pickup,
    "steady": steady,
    "idle": idle,
    "notifies": notifies,
    "degrade": degrade,
    "options": options,
}


def variants(figure: str, peer: str) -> tuple[str, ...]:
    """What of this figure is measured for this peer."""
    found: dict[str, tuple[str, ...]] = FIGURES[figure].VARIANTS
    return found.get(peer, found.get("", ()))
