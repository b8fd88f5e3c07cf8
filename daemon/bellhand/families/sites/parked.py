"""Pages that stand in for a business's website: parked and for-sale domains, hosters' first pages."""

import re
from urllib.parse import urlsplit

from bellhand.clients.domains import registrable

from .markup import Markup
from .words import words

# A page about domains has a lot to say; a parking page has not.
_TEXT_CHARS_MAX = 4000

# Where domains are sold: a website that ends there is for sale.
_MARKETS = words("""
    afternic.com brandbucket.com buydomains.com dan.com domainmarket.com efty.com hugedomains.com
    perfectdomain.com sedo.com squadhelp.com undeveloped.com
""")
# Who serves the advertisements on parked pages.
_PARKERS = words("""
    above.com bodis.com cashparking.com domainsponsor.com dsnextgen.com fabulous.com namedrive.com
    parkingcrew.net parklogic.com rookdns.com searchvity.com sedoparking.com skenzo.com
    smartname.com voodoo.com
""")
_FOR_SALE = re.compile(
    r"\b(?:this|the) (?:web ?site|domain)(?: name)?(?: [\w.-]{1,60})? (?:is|may be|might be) (?:now )?(?:for sale|available for purchase)"
    r"|\b(?:buy|purchase|inquire about|make an offer on) this domain\b|\bdomain(?: name)? for sale\b"
    r"|diese domain (?:steht|ist) (?:zum verkauf|zu verkaufen)|domain (?:kaufen|zu verkaufen)\b"
    r"|ce (?:nom de )?domaine est (?:à|a) vendre|este dominio est[áa] (?:a la|en) venta"
    r"|questo dominio [èe] in vendita|deze domeinnaam is te koop",
    re.IGNORECASE,
)
_PARKED = re.compile(
    r"\bparked (?:free|domain|page)\b|\bdomain (?:name )?(?:is|has been) (?:parked|registered at)\b"
    r"|\bthis domain (?:has|is) expired\b|\bdomain (?:ist|wurde) (?:geparkt|registriert)\b"
    r"|diese domain wurde (?:soeben )?(?:registriert|freigeschaltet)|related searches:?\s*$",
    re.IGNORECASE | re.MULTILINE,
)
_EMPTY_TITLES = re.compile(
    r"apache2? \w+ default page|welcome to nginx|iis windows server|test page for (?:the )?(?:apache|nginx|http)"
    r"|default (?:web ?site|parallels plesk|plesk) page|future home of|site not (?:published|found)"
    r"|account suspended|index of /\s*$|coming soon$|under construction$",
    re.IGNORECASE,
)


def parked(page: Markup, url: str) -> str | None:
    """What gives the page away, `for sale`, `parked` or `empty`; None for a page of somebody's own."""
    if registrable(urlsplit(url).hostname or "") in _MARKETS:
        return "for sale"
    if any(_domain(source) in _PARKERS for source in page.sources):
        return "parked"
    text = f"{page.title}\n{page.text}"
    if len(text) > _TEXT_CHARS_MAX:
        return None
    if _FOR_SALE.search(text):
        return "for sale"
    if _PARKED.search(text):
        return "parked"
    return "empty" if _EMPTY_TITLES.search(page.title) else None


def _domain(source: str) -> str:
    try:
        return registrable(urlsplit(source, "http").hostname or "")
    except ValueError:
        return ""
