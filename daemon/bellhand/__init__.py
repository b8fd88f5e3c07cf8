"""Background jobs for anything that can write a row to Postgres."""

__version__ = "0.1.0"
