"""Phone numbers out of pages: spellings, countries, faxes, and what only looks like one."""

import time

import pytest

from bellhand.families.sites.markup import read
from bellhand.families.sites.phones import find_phones
from bellhand.families.sites.regions import regions


def phones(html: str, url: str = "https://acme.com/", country: str | None = None):
    page = read(html)
    return find_phones(page, regions(page, url, country))


def numbers(html: str, url: str = "https://acme.com/", country: str | None = None) -> list[str]:
    return [phone.number for phone in phones(html, url, country)]


@pytest.mark.parametrize(
    ("html", "number"),
    [
        ("<p>Call (413) 732-8702 now", "+14137328702"),
        ("<p>413.732.8702", "+14137328702"),
        ("<p>+44 (0) 20 7629 1317", "+442076291317"),
        ("<p>0044 20 7629 1317", "+442076291317"),
        ("<p>(020) 7629 1317", "+442076291317"),
        ("<p>T&nbsp;+49&nbsp;30&nbsp;901820", "+4930901820"),
        ("<p>\uff0b\uff14\uff19 30 901820", "+4930901820"),
        ("<a href='tel:+1-413-732-8702'>ring us</a>", "+14137328702"),
        ("<a href='TEL:(413)%20732-8702'>ring us</a>", "+14137328702"),
        ("<a href='callto://+14137328702'>ring us</a>", "+14137328702"),
        ("<p>1-800-FLOWERS", "+18003569377"),
        ("<td>413-732- 8702</td>", "+14137328702"),
        (
            """<script type="application/ld+json">{"telephone": "+49 30 901820"}</script>""",
            "+4930901820",
        ),
    ],
)
def test_numbers_are_read_in_many_spellings(html, number):
    assert numbers(html) == [number]


@pytest.mark.parametrize(
    "html",
    [
        "<p>26-08-2009",
        "<p>Order 4137328702413",
        "<p>$1,413,732.87",
        "<p>192.168.100.200",
        "<p>ISBN 978-3-16-148410-0",
        "<p>(999) 999-9999",
        "<p>123-4567",
        "<a href='tel:'>x</a><a href='tel:now'>x</a><a href='tel:12'>x</a>",
        "<script>var t = '413-732-8702'</script>",
        """<script type="application/ld+json">{"telephone": ["x", 5, null]}</script>""",
    ],
)
def test_what_only_looks_like_a_number_is_none(html):
    assert numbers(html) == []


@pytest.mark.parametrize(
    ("html", "url", "country", "number"),
    [
        ("<p>030 901820", "https://acme.de/", None, "+4930901820"),
        ("<p>030 901820", "https://acme.com/", "DE", "+4930901820"),
        ("<html lang=de><p>030 901820", "https://acme.com/", None, "+4930901820"),
        ("<html lang=de-AT><p>01 5880010", "https://acme.com/", None, "+4315880010"),
        ("<p>(02) 9581 1111<p>Sydney, Australia", "https://acme.com/", None, "+61295811111"),
        ("<p>020 7629 1317", "https://acme.co.uk/", None, "+442076291317"),
        (
            """<script type="application/ld+json">{"addressCountry": {"name": "Italy"}}</script>
            <p>0341 251876""",
            "https://acme.com/",
            None,
            "+390341251876",
        ),
        ("<p>413-732-8702", "https://acme.io/", None, "+14137328702"),
        # What site builders write into pages everywhere says nothing.
        ("<html lang=en-US><p>020 7629 1317", "https://acme.com/", None, "+442076291317"),
    ],
)
def test_the_country_comes_from_the_business_the_address_the_page(html, url, country, number):
    assert numbers(html, url, country) == [number]


@pytest.mark.parametrize(
    "html",
    [
        "<p>Phone: 413-732-8701 Fax: {}",
        "<p>Phone 413-732-8701, fax {}",
        "<p>T 413.732.8701 | F {}",
        "<p>P 413.732.8701<br>F {}",
        "<p>413.732.8701 phone<br>{} fax",
        "<p>413.732.8701 • Telefax {}",
        "<table><tr><td>Tel<td>413-732-8701<tr><td>Fax<td>{}</table>",
        "<p>Call 413-732-8701<p>eFax :<p>{}",
        "<a href='tel:4137328701'>413-732-8701</a> <a href='fax:{}'>write</a>",
        "<a href='tel:4137328701'>x</a> <a href='tel:{}'>Fax: {}</a>",
        """<script type="application/ld+json">
        {{"telephone": "413-732-8701", "faxNumber": "{}"}}</script>""",
    ],
)
def test_faxes_are_marked_apart(html):
    found = {phone.number: phone.fax for phone in phones(html.format(*["413-732-8702"] * 2))}
    assert found == {"+14137328701": False, "+14137328702": True}


@pytest.mark.parametrize(
    "html",
    [
        "<p>Phone/Fax: 413-732-8702",
        "<p>Tel & Fax 413-732-8702",
        "<p>Fax: 413-732-8702<p>Call us at 413-732-8702",
        "<p>We fax nothing. Anything else? Ask us: our number is the old one 413-732-8702",
        "<p>413-732-8702 fax 413-732-8703",
    ],
)
def test_a_number_that_somebody_answers_is_no_fax(html):
    assert not phones(html)[0].fax


def test_an_extension_is_kept_beside_the_number():
    (phone,) = phones("<p>413-732-8702 ext. 101")
    assert (phone.number, phone.extension, phone.how) == ("+14137328702", "101", "text")


def test_a_number_that_is_linked_and_shown_is_one():
    (phone,) = phones("<a href='tel:+14137328702'>(413) 732-8702</a><p>+1 413 732 8702")
    assert (phone.how, phone.shown) == ("link", "(413) 732-8702")


@pytest.mark.parametrize(
    "hostile",
    ["1" * 500_000, "1 2 3 " * 80_000, "(" * 500_000, "+1(" * 160_000, "202-999-3975 " * 38_000,
     "202-199-3975/ " * 35_000, "1-800-AAAAAAA " * 35_000, "2025550123 ext " * 33_000],
)  # fmt: skip
def test_no_page_takes_long(hostile):
    started = time.process_time()
    phones(f"<p>{hostile} Germany France Italy")
    assert time.process_time() - started < 5
