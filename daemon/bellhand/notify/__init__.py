"""Telling people and programs how jobs end, in jobs of their own: mail, Slack, Discord, signed webhooks."""

from .handlers import deliver_discord, deliver_email, deliver_slack, deliver_webhook

__all__ = ["deliver_discord", "deliver_email", "deliver_slack", "deliver_webhook"]
