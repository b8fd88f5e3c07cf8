"""What can go wrong on the way to a page, as values a handler can act on."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp

from .guard import Refused

# Lookup answers that a repetition will not change: no such name, no address behind it.
_NO_SUCH_NAME = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))
_NO_SUCH_NAME_CARES = (1, 4)


class WebError(Exception):
    """A fetch that brought no page; `code` is for machines, the text says what, why and what helps.

    `retryable` says whether the same fetch may well succeed later, `after_seconds` when, if that is
    known. `url` is the hop that failed.
    """

    after_seconds: float | None = None

    def __init__(self, code: str, what: str, why: str, *, url: str, retryable: bool) -> None:
        super().__init__(f"{what}: {why}")
        self.code = code
        self.what = what
        self.why = why
        self.url = url
        self.retryable = retryable


class Forbidden(WebError):
    """Refused before anything is sent.

    Codes: bad_url, bad_scheme, bad_port, blocked_address, bad_header, robots.
    """

    def __init__(self, code: str, what: str, why: str, *, url: str) -> None:
        super().__init__(code, what, why, url=url, retryable=False)


class Unreachable(WebError):
    """No answer came: dns, connect, tls, timeout, disconnected."""


class BadAnswer(WebError):
    """An answer came that is no page.

    Codes: bad_response, bad_encoding, too_many_redirects, redirect_loop, body_too_large, bomb,
    robots_unreachable.
    """


class Busy(WebError):
    """The host has many waiting, or asked to be left alone: host_busy, and `after_seconds`."""

    def __init__(self, why: str, *, url: str, after_seconds: float) -> None:
        what = "the host cannot be visited yet"
        super().__init__("host_busy", what, why, url=url, retryable=True)
        self.after_seconds = after_seconds


@contextmanager
def explained(url: str) -> Iterator[None]:
    """Turn whatever the network stack raises inside the block into a WebError."""
    try:
        yield
    except WebError:
        raise
    except (OSError, aiohttp.ClientError, UnicodeError) as error:
        raise _explain(error, url) from error


def _explain(error: Exception, url: str) -> WebError:
    why = str(error) or type(error).__name__
    if isinstance(error, aiohttp.ClientConnectorError):
        # Its own text speaks of "ssl:default" to people who asked for a page.
        why = f"{error.host}:{error.port}: {error.os_error.strerror or error.os_error}"
    match error:
        case TimeoutError():
            why = str(error) or "no whole answer in the time allowed (seconds_max)"
            return Unreachable("timeout", "the site took too long", why, url=url, retryable=True)
        case aiohttp.ClientConnectorDNSError():
            known = _name_is_known(error.os_error)
            what = "the lookup of the host failed" if known else "there is no such host"
            return Unreachable("dns", what, why, url=url, retryable=known)
        case UnicodeError():
            return Unreachable("dns", "there is no such host", why, url=url, retryable=False)
        case aiohttp.ClientConnectorCertificateError():
            what = "the certificate is not valid"
            return Unreachable("tls", what, why, url=url, retryable=False)
        case aiohttp.ClientSSLError() | ssl.SSLError():
            return Unreachable("tls", "no encryption was agreed", why, url=url, retryable=True)
        case aiohttp.ClientConnectorError() if isinstance(error.os_error, Refused):
            what = "the address is not a public one"
            why = f"{error.os_error.address} is refused unless web.allow_networks lists it"
            return Forbidden("blocked_address", what, why, url=url)
        case aiohttp.ClientConnectorError():
            return Unreachable("connect", "no connection", why, url=url, retryable=True)
        case aiohttp.InvalidURL():
            return Forbidden("bad_url", "the address cannot be asked for", why, url=url)
        case aiohttp.ClientResponseError() | aiohttp.ClientPayloadError():
            what = "the answer is not HTTP"
            return BadAnswer("bad_response", what, why, url=url, retryable=True)
        case _:
            what = "the connection was lost"
            return Unreachable("disconnected", what, why, url=url, retryable=True)


def _name_is_known(error: OSError) -> bool:
    """Whether the name may well exist, the lookup having failed for another reason."""
    cause = error.__cause__
    if cause is not None and cause.args:
        return cause.args[0] not in _NO_SUCH_NAME_CARES
    return error.errno not in _NO_SUCH_NAME


class ServiceError(Exception):
    """A call to an outside service that brought no answer to work with.

    `code` is one of CODES in usage.py, the text says what, why and what helps. `retryable` says whether the same call may
    well succeed later; `sick`, that the fault is the service's own, which its breaker counts; `wait_seconds`, how long the
    service asks to wait; `pause`, that it wants no call at all with this key until then (quota spent, key refused);
    `paid`, that the useless answer cost money, so that it is not asked for again at once.
    """

    def __init__(
        self,
        code: str,
        what: str,
        why: str,
        *,
        service: str,
        retryable: bool = False,
        sick: bool = False,
        wait_seconds: float | None = None,
        pause: bool = False,
    ) -> None:
        super().__init__(f"{service}: {what}: {why}" if why else f"{service}: {what}")
        self.code = code
        self.what = what
        self.why = why
        self.service = service
        self.retryable = retryable
        self.sick = sick
        self.wait_seconds = wait_seconds
        self.pause = pause
        self.paid = False


class BudgetSpent(ServiceError):
    """The call could cost more than what is left of its budget; nothing was sent."""
