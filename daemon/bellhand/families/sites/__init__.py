"""Websites of businesses: are they up, and how do they say the business can be reached."""

from .handlers import (
    collect_emails,
    collect_phones,
    collect_socials,
    revalidate,
    validate_site,
)

__all__ = ["collect_emails", "collect_phones", "collect_socials", "revalidate", "validate_site"]
