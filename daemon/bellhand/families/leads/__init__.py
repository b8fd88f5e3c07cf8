"""Leads: businesses found by searching for services in places, each once, and whether they advertise."""

from .ads import check_google_ads, google_ads_check
from .handlers import apply_exclusions, collect_leads, lead_collection

__all__ = [
    "apply_exclusions",
    "check_google_ads",
    "collect_leads",
    "google_ads_check",
    "lead_collection",
]
