"""Customers: mail to them that goes out once at most, the opportunities that are worth one, and what they buy in figures."""

from .analytics import update_analytics
from .handlers import (
    cleanup_old_data,
    process_opportunities,
    process_opportunity_offer,
    send_notification,
    send_promotion,
    send_reminder,
    send_review_request,
)
from .reporting import generate_report

__all__ = [
    "cleanup_old_data",
    "generate_report",
    "process_opportunities",
    "process_opportunity_offer",
    "send_notification",
    "send_promotion",
    "send_reminder",
    "send_review_request",
    "update_analytics",
]
