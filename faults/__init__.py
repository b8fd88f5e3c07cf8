"""Breaks Bellhand with real processes against a real Postgres, and proves from three witnesses that it held.

`python -m faults` runs the catalogue. A fault is one file in `catalogue`; `history.py` judges what happened.
"""
