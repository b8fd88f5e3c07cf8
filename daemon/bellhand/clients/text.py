"""Read a body as text, in the encodings of the web and no others."""

import codecs
from functools import cache

from w3lib.encoding import (
    html_body_declared_encoding,
    html_to_unicode,
    http_content_type_encoding,
)

# Python has codecs besides that are no text at all, or that a page chooses to hurt: punycode takes
# time by the square of the length, hours for a page of 5 MB.
_OF_THE_WEB = """
    big5hkscs cp866 cp874 cp932 cp949 cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258
    euc_jp gb18030 iso2022_jp iso8859-2 iso8859-3 iso8859-4 iso8859-5 iso8859-6 iso8859-7 iso8859-8
    iso8859-10 iso8859-13 iso8859-14 iso8859-15 iso8859-16 koi8-r koi8-u mac-cyrillic mac-roman
    utf-8 utf-16 utf-16-be utf-16-le utf-32 utf-32-be utf-32-le
"""


def text_of(declared: str, body: bytes) -> str:
    """The text by its byte order mark, else by what the Content-Type or the page itself says.

    UTF-8 where they say nothing, or name no encoding of the web.
    """
    encoding = http_content_type_encoding(declared)
    if encoding not in _known():
        encoding = html_body_declared_encoding(body)
    if encoding not in _known():
        encoding = "utf-8"
    return html_to_unicode(f"text/html; charset={encoding}", body)[1]


@cache
def _known() -> frozenset[str]:
    # Not before the first body: the codecs take 2 MB.
    return frozenset(codecs.lookup(name).name for name in _OF_THE_WEB.split())
