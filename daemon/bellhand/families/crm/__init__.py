"""Customers: mail to them that goes out once at most, and the opportunities that are worth one."""

from .handlers import (
    cleanup_old_data,
    process_opportunities,
    process_opportunity_offer,
    send_notification,
    send_promotion,
    send_reminder,
    send_review_request,
)

__all__ = [
    "cleanup_old_data",
    "process_opportunities",
    "process_opportunity_offer",
    "send_notification",
    "send_promotion",
    "send_reminder",
    "send_review_request",
]
