"""Matching items with a catalogue (seed 001): the kinds that `modules` finds here."""

from .handlers import learn, run_matching

__all__ = ["learn", "run_matching"]
