"""Customers: mail to them that goes out once at most, and the opportunities that are worth one."""

from .handlers import (
    process_opportunities,
    process_opportunity_offer,
    send_notification,
    send_promotion,
    send_reminder,
    send_review_request,
)

__all__ = [
    "process_opportunities",
    "process_opportunity_offer",
    "send_notification",
    "send_promotion",
    "send_reminder",
    "send_review_request",
]
