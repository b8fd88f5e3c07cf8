"""Customers: mail to them, once at most; opportunities worth one; payments, never twice; who they are, from elsewhere; what they buy."""

from .analytics import update_analytics
from .handlers import (
    cleanup_old_data,
    process_opportunities,
    process_opportunity_offer,
    process_payment,
    refund_payment,
    send_notification,
    send_promotion,
    send_reminder,
    send_review_request,
    sync_customer_data,
)
from .reporting import generate_report

__all__ = [
    "cleanup_old_data",
    "generate_report",
    "process_opportunities",
    "process_opportunity_offer",
    "process_payment",
    "refund_payment",
    "send_notification",
    "send_promotion",
    "send_reminder",
    "send_review_request",
    "sync_customer_data",
    "update_analytics",
]
