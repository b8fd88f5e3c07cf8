"""Websites of businesses: are they up, which e-mail addresses and social profiles do they show."""

from .handlers import collect_emails, collect_socials, validate_site

__all__ = ["collect_emails", "collect_socials", "validate_site"]
