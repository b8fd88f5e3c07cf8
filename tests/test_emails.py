"""E-mail addresses: what people can read is found, what only looks like one is not."""

import time

import pytest

from bellhand.families.sites.emails import decode_shield, find_emails, in_text, is_role
from bellhand.families.sites.markup import read


def found(html: str) -> list[str]:
    return [email.address for email in find_emails(read(html))]


def shield(address: str, key: int = 0x2A) -> str:
    return bytes([key, *(byte ^ key for byte in address.encode())]).hex()


def data(text: str) -> str:
    return f'<script type="application/ld+json">{text}</script>'


PLAIN = {
    "a link": '<a href="mailto:info@acme.com">Write to us</a>',
    "a link with a subject": '<a href="MAILTO:Info@Acme.com?subject=Hi%20x@y.org">mail</a>',
    "a link with spaces": '<a href=" mailto:%20info@acme.com%20 ">mail</a>',
    "a link written in percent": '<a href="mailto:%69%6e%66%6f%40%61%63%6d%65%2e%63%6f%6d">x</a>',
    "a link with slashes": '<a href="mailto://info@acme.com">mail</a>',
    "a link with a name": '<a href="mailto:Acme%20%3Cinfo@acme.com%3E">mail</a>',
    "a link that forgot mailto": '<a href="info@acme.com">mail</a>',
    "the to of a link": '<a href="mailto:?to=info@acme.com&amp;subject=x">mail</a>',
    "text": "<p>Write to info@acme.com.</p>",
    "text in brackets": "<p>(info@acme.com)</p>",
    "text in angle brackets": "<p>Acme &lt;info@acme.com&gt;</p>",
    "text after a colon": "<p>E-Mail:info@acme.com</p>",
    "text in quotes": "<p>'info@acme.com'</p>",
    "entities": "<p>&#105;&#110;&#102;&#111;&#64;acme&#x2e;com</p>",
    "a split over tags": "<p><b>info</b>@<span>acme</span>.com</p>",
    "a split by a comment": "<p>info<!-- no robots -->@acme<!-- . -->.com</p>",
    "a block right behind": "<div>info@acme.com</div><div>Phone 123</div>",
    "a word typed on": "<p>info@acme.comPhone 123</p>",
    "a sentence typed on": "<p>info@acme.com.Please ring</p>",
    "another script beside it": "<p>邮箱info@acme.com电话</p>",
    "full width": "<p>ｉｎｆｏ＠ａｃｍｅ．ｃｏｍ</p>",
    "a soft hyphen and zero width": "<p>info&shy;@&#8203;acme.com</p>",
    "at in square brackets": "<p>info[at]acme[dot]com</p>",
    "at in round brackets": "<p>info (at) acme (dot) com</p>",
    "at in braces": "<p>info{at}acme{dot}com</p>",
    "at in angle brackets": "<p>info &lt;at&gt; acme &lt;dot&gt; com</p>",
    "at alone in brackets": "<p>info(at)acme.com</p>",
    "capital AT": "<p>INFO [AT] ACME [DOT] COM</p>",
    "a sign in brackets": "<p>info(@)acme.com</p>",
    "German dots": "<p>info (ät) acme (punkt) com</p>",
    "words": "<p>Mail: info at acme dot com</p>",
    "spaces": "<p>info @ acme . com</p>",
    "spaces after a cue": "<p>email: info @acme.com</p>",
    "underscores": "<p>info_at_acme_dot_com</p>",
    "a disguised link": '<a href="mailto:info(at)acme.com">mail</a>',
    "a shield": f'<b data-cfemail="{shield("info@acme.com")}">[email&#160;protected]</b>',
    "a shielded link": f'<a href="/cdn-cgi/l/email-protection#{shield("info@acme.com")}">x</a>',
    "data": data('{"@type": "Store", "email": "mailto:info@acme.com"}'),
    "data in a graph": data('{"@graph": [{"email": ["info@acme.com"]}]}'),
    "a plus": "<p>info@acme.com</p><p>INFO@ACME.COM</p>",
}


@pytest.mark.parametrize("html", PLAIN.values(), ids=PLAIN)
def test_an_address_is_found_however_it_is_written(html):
    assert found(html) == ["info@acme.com"]


def test_many_shapes_of_addresses_are_taken():
    text = (
        "first.last+tag@mail.acme.co.uk o'neil@acme.ie a_b-c@sub.sub.acme.museum"
        " info@müller.de x1@acme.xn--p1ai 007@acme.travel"
    )
    assert list(in_text(text)) == [
        "first.last+tag@mail.acme.co.uk",
        "o'neil@acme.ie",
        "a_b-c@sub.sub.acme.museum",
        "info@müller.de",
        "x1@acme.рф",
        "007@acme.travel",
    ]


def test_several_addresses_of_one_link_are_all_taken():
    html = (
        '<a href="mailto:a.one@acme.com,b.two@acme.com;c.three@acme.com?cc=d.four@acme.com">x</a>'
    )
    assert found(html) == [
        "a.one@acme.com",
        "b.two@acme.com",
        "c.three@acme.com",
        "d.four@acme.com",
    ]


NOTHING = {
    "an image for fine screens": '<img src="logo@2x.png"><p>logo@2x.png</p>',
    "an image with a host": "<p>icon@3x.acme.png</p>",
    "an error reporter": "<p>605a7baede844d278b89dc95ae0a9123@sentry-next.wixpress.com</p>",
    "an error reporter elsewhere": "<p>605a7baede844d278b89dc95ae0a9123@errors.acme.com</p>",
    "an example": "<p>name@example.com invalid@example.org you@domain.com</p>",
    "a hint": "<p>john.doe@acme.com yourname@acme.com user@email.com</p>",
    "a template's own": '<a href="mailto:info@mysite.com">mail</a>',
    "a German hint": "<p>info@musterfirma.de max.mustermann@web.de</p>",
    "a version": "<p>react@18.2.0 jquery@3.6.0.min.js</p>",
    "a handle": "<p>follow @acme.com and @acme</p>",
    "no such ending": "<p>info@acme.invalidending info@localhost info@acme</p>",
    "an ending alone": "<p>info@co.uk info@com</p>",
    "a script": "<script>var a = 'info@acme.com'</script><style>@import url(x@y.com)</style>",
    "a comment": "<!-- info@acme.com -->",
    "a template element": "<template><p>info@acme.com</p></template>",
    "a hidden field": '<input type="hidden" name="to" value="info@acme.com">',
    "a placeholder": '<input placeholder="info@acme.com">',
    "a sentence": "<p>Look at acme.com or find us at acme dot com</p>",
    "a place": "<p>Greg @ Acme.com</p><p>Visit us @ www.acme.com</p>",
    "double dots": "<p>info@acme..com</p>",
    "a shield that is none": '<span data-cfemail="zz">x</span><span data-cfemail="">x</span>',
    "broken data": '<script type="application/ld+json">{"email": "info@acme.com"</script>',
    "a bare anchor": "<a href>x</a><a>y</a><svg><a xlink:href='mailto:info@acme.com'>z</a></svg>",
    "nothing": "",
}


@pytest.mark.parametrize("html", NOTHING.values(), ids=NOTHING)
def test_what_only_looks_like_an_address_is_left_alone(html):
    assert found(html) == []


def test_where_link_and_text_disagree_the_text_counts_and_the_link_is_its_alias():
    html = """<a href="mailto:info@mysite-template.com">sales@acme.com</a>
              <a href="mailto:info@mysite-template.com">write to us</a>"""
    (email,) = find_emails(read(html))
    assert email.address == "sales@acme.com"
    assert email.aliases == ("info@mysite-template.com",)


def test_an_address_in_sight_is_nobodys_alias():
    html = '<a href="mailto:b@acme.com">a@acme.com</a> or b@acme.com'
    emails = {email.address: email.aliases for email in find_emails(read(html))}
    assert emails == {"a@acme.com": (), "b@acme.com": ()}


def test_a_link_around_half_an_address_is_no_disagreement():
    assert found('<a href="mailto:info@acme.com">info@acme.co</a>m') == ["info@acme.com"]


@pytest.mark.parametrize(
    ("address", "role"),
    [
        ("info@acme.com", True),
        ("sales-uk@acme.com", True),
        ("support2@acme.com", True),
        ("press.office@acme.com", True),
        ("jane.miller@acme.com", False),
        ("informant@acme.com", False),
        ("acme@acme.com", False),
    ],
)
def test_mailboxes_of_functions_are_told_from_those_of_people(address, role):
    assert is_role(address) is role


def test_a_shield_is_undone_and_a_broken_one_is_empty():
    assert decode_shield("54393114353739317a373b39") == "me@acme.com"
    assert decode_shield("5") == ""


@pytest.mark.parametrize(
    "html",
    [
        "a" * 1_000_000,
        "@" * 1_000_000,
        "a@" * 500_000,
        "a." * 500_000 + "@",
        " " * 1_000_000 + "at",
        "x at y dot " * 100_000,
        "[at]" * 250_000,
        "x[at]" * 200_000,
        "a @ b . " * 125_000,
        "<div>" * 200_000,
        "<div><table></div></table>" * 40_000,
        "<ul><li>" * 100_000,
        "<a href=mailto:x@acme.com>" * 40_000,
        "<p " + "a=b " * 250_000 + ">",
        "<script>" * 100_000,
        "<" * 1_000_000,
        '{"@graph":' * 100_000,
        f'<script type="application/ld+json">{"[" * 100_000}</script>',
    ],
    ids=lambda html: html[:24],
)
def test_no_page_is_slow_to_read(html):
    started = time.thread_time()
    find_emails(read(html))
    assert (
        time.thread_time() - started < 20
    )  # seconds of CPU: a machine may be slow, but not a hundred times


def test_a_page_of_addresses_is_bounded():
    assert len(found(" ".join(f"u{n}@acme.com" for n in range(10_000)))) == 500


def test_naughty_text_becomes_clean_text():
    page = read("<title>a\0b &#xD800; c</title><p>x\0y&#0;&#xDFFF;</p>")
    for text in (page.title, page.text):
        assert "\0" not in text
        text.encode()
