"""Bellhand and its peers measured side by side: `python -m bench`."""
