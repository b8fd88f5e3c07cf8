"""One file for each fault, or for a few of a sort; see fault.py."""
