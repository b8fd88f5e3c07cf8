"""How long an answer asks its caller to stay away."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

SECONDS_MAX = 3600.0


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """The seconds of a Retry-After header, at most an hour; None where it says nothing readable.

    A date in it is compared with the answer's own Date: whose clock is right does not matter.
    (RFC 9110, section 10.2.3.)
    """
    asked = headers.get("Retry-After", "").strip()
    if asked.isdecimal() and len(asked) < 10:
        return min(float(asked), SECONDS_MAX)
    try:
        until = parsedate_to_datetime(asked)
        now = parsedate_to_datetime(headers.get("Date", ""))
        seconds = (until - now).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), SECONDS_MAX)
