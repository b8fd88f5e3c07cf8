"""A number with its noun, as people say it."""

from __future__ import annotations


def counted(count: int, noun: str, many: str = "") -> str:
    """`1 job`, `1,200 jobs`; `many` where an s at the end will not do."""
    return f"{count:,} {noun if count == 1 else many or f'{noun}s'}"
