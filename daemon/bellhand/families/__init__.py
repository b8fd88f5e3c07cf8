"""Families of kinds that ship with the daemon: each a folder of handlers over pure modules."""
