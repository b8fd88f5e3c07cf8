"""Social profiles a page links to: profiles, not share buttons, each in one spelling."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

from .markup import Markup
from .words import words

PROFILES_MAX = 100
_NAME = r"[\w.-]{1,100}"


@dataclass(frozen=True, slots=True)
class Social:
    """A profile; `handle` is its name within the network, `url` its usual address."""

    network: str
    handle: str
    url: str


@dataclass(frozen=True, slots=True)
class _Network:
    """How a network writes its profiles: paths with one group, names that are no profiles."""

    name: str
    hosts: frozenset[str]
    paths: tuple[str, ...]
    url: str
    reserved: frozenset[str] = frozenset()
    queries: tuple[tuple[str, str], ...] = ()
    exact: bool = False
    patterns: tuple[re.Pattern[str], ...] = field(init=False)

    def __post_init__(self) -> None:
        compiled = tuple(re.compile(path, re.IGNORECASE) for path in self.paths)
        object.__setattr__(self, "patterns", compiled)

    def handle(self, path: str, query: dict[str, list[str]]) -> str | None:
        """The profile's name, or None for anything else on the network."""
        for where, key in self.queries:
            if path.strip("/").lower() == where and query.get(key):
                handle = re.sub(r"[@+ ]", "", query[key][0])
                return handle if re.fullmatch(_NAME, handle) else None
        for pattern in self.patterns:
            if match := pattern.fullmatch(path):
                handle = match.group(1)
                taken = handle.lower() in self.reserved or handle.lower() in _NOBODY
                return None if taken or not re.search(r"\w", handle) else handle
        return None


# What templates and form hints link to.
_NOBODY = words("""
    example profile squarespace username wix wordpress your-page your-profile yourbusiness
    yourcompany yourhandle yourpage yourprofile youruser yourusername
""")

_NETWORKS = (
    _Network(
        "facebook",
        words("facebook.com fb.com fb.me"),
        (
            r"/pages/(?:[^/]+/){1,3}(?:[^/]*-)?(\d{5,})/?",
            r"/people/[^/]+/(\d{5,})/?",
            r"/p/[^/]*?(\d{8,})/?",
            rf"/groups/({_NAME})/?",
            rf"/(?:pg/)?({_NAME})(?:/(?:info|about|photos|reviews|timeline|videos|posts))?/?",
        ),
        "https://www.facebook.com/{}",
        words("""
            2008 ads business dialog events fbml groups hashtag help home home.php l.php legal login
            login.php login marketplace media messages notes pages people permalink.php pg photo
            photo.php photos plugins policies policy.php privacy profile.php public r.php recover
            reel reels search share share.php sharer sharer.php story.php terms terms.php tr
            video.php watch
        """),
        (("profile.php", "id"),),
    ),
    _Network(
        "instagram",
        words("instagram.com instagr.am"),
        (r"/@?([\w.]{1,30})/?",),
        "https://www.instagram.com/{}",
        words(
            "about accounts developer direct directory embed.js explore legal p reel reels share"
            " stories tv web"
        ),
    ),
    _Network(
        "x",
        words("twitter.com x.com"),
        (r"/(?:#!/)?@?(\w{1,15})/?",),
        "https://x.com/{}",
        words("""
            about account compose download explore hashtag home i intent jobs login messages
            notifications privacy search settings share signup statuses tos widgets
        """),
        (("intent/user", "screen_name"), ("intent/follow", "screen_name")),
    ),
    _Network(
        "linkedin",
        words("linkedin.com"),
        (
            r"/((?:company|school|showcase|in)/[^/?#]{1,100})(?:/(?:about|posts|jobs|[a-z]{2}))?/?",
            r"/company-beta/(\d+)/?",
            r"/(pub/[^/]{1,100}/\w{1,4}/\w{1,4}/\w{1,4})/?",
        ),
        "https://www.linkedin.com/{}",
    ),
    _Network(
        "youtube",
        words("youtube.com"),
        (
            r"/(channel/UC[\w-]{22})(?:/\w+)?/?",
            rf"/((?:user|c)/{_NAME})(?:/\w+)?/?",
            rf"/(@{_NAME})(?:/\w+)?/?",
            rf"/({_NAME})/?",
        ),
        "https://www.youtube.com/{}",
        words("""
            about account ads attribution_link c channel channels embed feed gaming hashtag
            iframe_api kids live login music playlist player_api post premium redirect results
            shorts signin subscription_center t trends tv upload user v view_play_list watch
        """),
        (("subscription_center", "add_user"),),
        exact=True,
    ),
    _Network("tiktok", words("tiktok.com"), (r"/@([\w.]{1,24})/?",), "https://www.tiktok.com/@{}"),
    _Network(
        "pinterest",
        words(
            "pinterest.com pinterest.co.uk pinterest.de pinterest.fr pinterest.es pinterest.ca"
            " pinterest.it pinterest.at pinterest.ch pinterest.com.au pinterest.jp"
        ),
        (r"/(\w{1,30})(?:/[^/]*)?/?",),
        "https://www.pinterest.com/{}",
        words(
            "_ about business categories explore ideas js login pin search settings today topics"
        ),
    ),
    _Network(
        "threads",
        words("threads.net threads.com"),
        (r"/@([\w.]{1,30})/?",),
        "https://www.threads.net/@{}",
    ),
    _Network(
        "bluesky",
        words("bsky.app"),
        (r"/profile/([\w.:-]{1,253})/?",),
        "https://bsky.app/profile/{}",
    ),
    _Network(
        "snapchat",
        words("snapchat.com"),
        (r"/(?:add/|@)([\w.-]{1,15})/?",),
        "https://www.snapchat.com/add/{}",
    ),
    _Network(
        "whatsapp",
        words("wa.me whatsapp.com"),
        (r"/\+?(\d{6,15})/?",),
        "https://wa.me/{}",
        queries=(("send", "phone"),),
    ),
    _Network(
        "telegram",
        words("t.me telegram.me"),
        (r"/(?:s/)?(\w{4,32})/?",),
        "https://t.me/{}",
        words("addstickers addtheme iv joinchat login proxy share socks"),
    ),
    _Network(
        "xing",
        words("xing.com"),
        (r"/((?:pages|companies|profile)/[^/]{1,100})/?",),
        "https://www.xing.com/{}",
    ),
    _Network(
        "vimeo",
        words("vimeo.com"),
        (r"/((?!\d+/?$)\w{1,50})/?", r"/(channels/\w{1,50})/?"),
        "https://vimeo.com/{}",
        words(
            "about blog categories channels features help join log_in ondemand search share"
            " upgrade upload watch"
        ),
    ),
    _Network(
        "flickr",
        words("flickr.com"),
        (r"/(?:photos|people)/([\w@-]{1,60})/?", r"/([\w@-]{1,60})/?"),
        "https://www.flickr.com/photos/{}",
        words("about explore groups help map people photos search services signin upload"),
    ),
    _Network(
        "tumblr",
        words("tumblr.com"),
        (r"/(?:blog/(?:view/)?)?@?([\w-]{1,32})/?",),
        "https://{}.tumblr.com",
        words(
            "about dashboard docs explore help login policy register search share tagged widgets"
        ),
    ),
    _Network(
        "yelp",
        words("yelp.com yelp.co.uk yelp.de yelp.ca yelp.fr yelp.ie yelp.com.au"),
        (r"/biz/([^/]{1,150})/?",),
        "https://www.yelp.com/biz/{}",
    ),
    _Network(
        "reddit",
        words("reddit.com"),
        (r"/((?:r|u|user)/[\w-]{2,30})/?",),
        "https://www.reddit.com/{}",
    ),
    _Network(
        "github",
        words("github.com"),
        (r"/([\w-]{1,39})/?",),
        "https://github.com/{}",
        words(
            "about apps collections contact enterprise events explore features join login"
            " marketplace new notifications orgs pricing readme search security settings site"
            " sponsors topics trending"
        ),
    ),
    _Network("medium", words("medium.com"), (r"/(@[\w.-]{1,60})/?",), "https://medium.com/{}"),
)
_BY_HOST = {host: network for network in _NETWORKS for host in network.hosts}


def find_socials(page: Markup, own_host: str = "") -> list[Social]:
    """Every profile of a page once, in its order; links of a network's own pages do not count."""
    own = _network(own_host.lower())
    found: dict[tuple[str, str], Social] = {}
    for address in _addresses(page):
        social = profile(address)
        if social and (own is None or social.network != own.name):
            found.setdefault((social.network, social.handle.lower()), social)
    return list(found.values())[:PROFILES_MAX]


def profile(address: str) -> Social | None:
    """The profile behind an address, or None: a share link, a single post, another site."""
    try:
        parts = urlsplit(_absolute(address.strip()))
        host = (parts.hostname or "").removesuffix(".")
    except ValueError:
        return None
    network = _network(host)
    if network is None or parts.scheme not in ("http", "https"):
        return None
    path, fragment = unquote(parts.path), unquote(parts.fragment)
    if fragment.startswith("!/"):
        path = fragment[1:]
    if network.name == "tumblr" and host.count(".") == 2 and not host.startswith("www."):
        path = "/" + host.partition(".")[0]
    handle = network.handle(re.sub(r"/{2,}", "/", path), parse_qs(parts.query))
    if not handle or len(handle) > 200 or not handle.isprintable():
        return None
    handle = handle if network.exact else handle.lower()
    return Social(network.name, handle, network.url.format(handle))


def _network(host: str) -> _Network | None:
    while host and len(host) < 254:
        if host in _BY_HOST:
            return _BY_HOST[host]
        host = host.partition(".")[2]
    return None


def _absolute(address: str) -> str:
    """Complete what people forget: the scheme of //x.com/a and of facebook.com/a."""
    if address.startswith("//"):
        return "https:" + address
    if "://" not in address and _network(address.partition("/")[0].lower()):
        return "https://" + address
    return address


def _addresses(page: Markup) -> Iterator[str]:
    for link in page.links:
        yield link.href
    for thing in page.data:
        same = thing.get("sameAs")
        for one in same if isinstance(same, list) else [same]:
            if isinstance(one, str):
                yield one
