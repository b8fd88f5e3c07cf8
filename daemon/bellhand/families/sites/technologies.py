"""What a website is made with, as far as it shows: hints from headers, cookies, sources, markup."""

import re
from collections.abc import Iterable, Mapping

from .markup import Markup

_MARKUP_CHARS_MAX = 300_000
_SOURCES_MAX = 500
NAMES_MAX = 40

# What is seen, where it is seen, and how; a group in the pattern is the version.
# `header` is matched with "name: value" in lower case, `cookie` with a cookie's name, `generator`
# with a meta tag's content, `source` with the address of a script, style or frame, `markup` with
# the page itself.
_SIGNS = """
WordPress          generator  wordpress ?([\\d.]+)?
WordPress          source     /wp-(?:content|includes)/
WooCommerce        generator  woocommerce ?([\\d.]+)?
WooCommerce        source     /plugins/woocommerce/
Elementor          generator  elementor ?([\\d.]+)?
Joomla             generator  joomla
Joomla             source     /media/(?:jui|system)/js/
Drupal             generator  drupal ?([\\d.]+)?
Drupal             header     ^x-(?:drupal-cache|generator: drupal)
TYPO3              generator  typo3
TYPO3              source     /typo3(?:conf|temp)/
Contao             generator  contao
Wix                generator  wix\\.com
Wix                header     ^x-wix-
Squarespace        source     static1?\\.squarespace\\.com
Squarespace        cookie     ^ss_cvr$
Webflow            generator  webflow
Webflow            markup     data-wf-site=
Shopify            header     ^x-shopid|^powered-by: shopify
Shopify            source     cdn\\.shopify\\.com
Jimdo              source     jimdo(?:static)?\\.com|jimcdn\\.com
Weebly             source     \\.weebly\\.com|editmysite\\.com
GoDaddy builder    generator  godaddy|starfield
Duda               source     irp?\\.cdn-website\\.com|multiscreensite\\.com
Ghost              generator  ghost ?([\\d.]+)?
Hugo               generator  hugo ?([\\d.]+)?
Jekyll             generator  jekyll v?([\\d.]+)?
Gatsby             generator  gatsby ?([\\d.]+)?
Magento            cookie     ^(?:mage-|x-magento)
Magento            source     /static/version\\d+/frontend/
PrestaShop         generator  prestashop
PrestaShop         cookie     ^prestashop-
Shopware           cookie     ^session-|^sw-
Shopware           generator  shopware
FrontPage          generator  frontpage ?([\\d.]+)?
Dreamweaver        markup     mm_(?:preload|swap)image
Next.js            source     /_next/static/
Next.js            header     ^x-powered-by: next\\.js ?([\\d.]+)?
Nuxt               source     /_nuxt/
Angular            markup     ng-version="([\\d.]+)
React              markup     data-reactroot|_reactlistening
Vue                markup     data-v-app|data-server-rendered="true"
jQuery             source     jquery[.-]?([\\d.]+\\d)?(?:\\.slim)?(?:\\.min)?\\.js
Bootstrap          source     bootstrap(?:@|[/-])?([\\d.]+\\d)?[^/]*\\.(?:css|js)
Google Analytics   source     google-analytics\\.com|googletagmanager\\.com/gtag
Google Tag Manager source     googletagmanager\\.com/gtm
Meta Pixel         source     connect\\.facebook\\.net/.*/fbevents
Hotjar             source     static\\.hotjar\\.com
HubSpot            source     js\\.hs-(?:scripts|analytics)\\.(?:com|net)
reCAPTCHA          source     google\\.com/recaptcha|recaptcha\\.net
Google Maps        source     maps\\.google(?:apis)?\\.com|google\\.com/maps
Cookiebot          source     consent\\.cookiebot\\.com
Cloudflare         header     ^server: cloudflare
nginx              header     ^server: nginx(?:/([\\d.]+))?
Apache             header     ^server: apache(?:/([\\d.]+))?
LiteSpeed          header     ^server: litespeed
IIS                header     ^server: microsoft-iis(?:/([\\d.]+))?
PHP                header     ^x-powered-by: php(?:/([\\d.]+))?
PHP                cookie     ^phpsessid$
ASP.NET            header     ^x-aspnet-version: ([\\d.]+)|^x-powered-by: asp\\.net
ASP.NET            cookie     ^asp\\.net_sessionid$
Java               cookie     ^jsessionid$
Laravel            cookie     ^laravel_session$
Django             cookie     ^csrftoken$
Ruby on Rails      header     ^x-powered-by: phusion passenger
Express            header     ^x-powered-by: express
Vercel             header     ^x-vercel-id
Netlify            header     ^x-nf-request-id
"""
_ROW = re.compile(r"(.+?) +(header|cookie|generator|source|markup) +(.+)")


def _table() -> tuple[tuple[str, str, re.Pattern[str]], ...]:
    rows = (_ROW.fullmatch(line) for line in _SIGNS.strip().split("\n"))
    return tuple((row[1], row[2], re.compile(row[3], re.IGNORECASE)) for row in rows if row)


_TABLE = _table()


def technologies(page: Markup, html: str, headers: Mapping[str, str]) -> list[str]:
    """Names, with a version where one is told: ["WordPress 6.4", "PHP"]."""
    places: dict[str, Iterable[str]] = {
        "header": [f"{name}: {value}"[:300].lower() for name, value in headers.items()],
        "cookie": [
            value.partition("=")[0].strip()[:100]
            for name, value in headers.items()
            if name.lower() == "set-cookie"
        ],
        "generator": page.generators,
        "source": [source[:500] for source in page.sources[:_SOURCES_MAX]],
        "markup": [html[:_MARKUP_CHARS_MAX]],
    }
    found: dict[str, str] = {}
    for name, where, pattern in _TABLE:
        for text in places[where]:
            if match := pattern.search(text):
                version = next((group for group in match.groups() if group), "")
                found[name] = found.get(name) or version.strip(".")[:20]
    return [f"{name} {version}".strip() for name, version in found.items()][:NAMES_MAX]
