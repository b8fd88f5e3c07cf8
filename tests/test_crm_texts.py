"""What stands in mails to customers: blanks that are filled in, no program, both parts with the same words."""

import pytest

from bellhand.families.crm.texts import Footer, Link, TextError, fill, write

VALUES = {"customer": {"id": "7", "name": "Ann"}, "opportunity": {"title": "Carpet"}}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("plain, 100 % { } {$", "plain, 100 % { } {$"),
        ("Dear {{ customer.name }}!", "Dear Ann!"),
        ("{{ customer.name | upper }} {{ opportunity.title|default('x') }}", "ANN Carpet"),
        ("{% if customer.name == 'Ann' %}you{% elif customer.id %}b{% else %}c{% endif %}", "you"),
        ("{{ customer.name or 'friend' }}{% if not customer.id %}!{% endif %}", "Ann"),
    ],
)
def test_blanks_are_filled_in(text: str, filled: str) -> None:
    assert fill(text, VALUES) == filled


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{{ customer.nmae }}", "customer.nmae is not known: .*customer.name"),
        ("{{ client.name }}", "client.name is not known"),
        ("{{ client }}", "client is not known, only"),
        ("{{ customer.name", "unexpected end"),
        ("{% for a in 'aaaa' %}{% for b in 'bbbb' %}x{% endfor %}{% endfor %}", "for cannot"),
        ("{{ 'x' * 1000000000 }}", "mul cannot"),
        ("{{ 9 ** 99999999 }}", "pow cannot"),
        ("{{ customer.name.__class__ }}", "__class__ is not known"),
        ("{{ customer['__class__'] }}", "getitem cannot"),
        ("{{ ''.join('a') }}", "call cannot"),
        ("{{ range(9) }}", "call cannot"),
        ("{{ 'x' | center(1000000000) }}", "no filter center"),
        ("{% include 'mail.html' %}", "include cannot"),
        ("{% set a = 1 %}", "assign cannot"),
        ("{% macro a() %}{% endmacro %}", "macro cannot"),
        ("{% if customer.name %}" * 200 + "x" + "{% endif %}" * 200, "."),
        ("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", "."),
    ],
)
def test_a_text_that_cannot_be_filled_in_says_why(text: str, why: str) -> None:
    with pytest.raises(TextError, match=why):
        fill(text, VALUES)


def test_what_people_wrote_is_text_in_both_parts() -> None:
    body = 'First <script>alert("x")</script>,\nsecond line.\n\n{{ customer.id }} & more'
    values = {"customer": {"id": "7", "name": "<b>Ann</b>"}, "body": body, "about": ""}
    link = Link('https://example.com/?a=1&b="2"', "See the offer")
    text = write("letter", "A & B", values, link, Footer("Acme\n1 High Street", "https://u.test/x"))
    assert text.text == (
        "Hello <b>Ann</b>,\n\n"
        'First <script>alert("x")</script>,\nsecond line.\n\n'
        "{{ customer.id }} & more\n\n"
        'See the offer: https://example.com/?a=1&b="2"\n\n'
        "--\nAcme\n1 High Street\nNo more of these: https://u.test/x\n"
    )
    assert "<script" not in text.html
    assert "Hello &lt;b&gt;Ann&lt;/b&gt;," in text.html
    assert "second line.</p>" in text.html
    assert "<br>second line." in text.html
    assert "<title>A &amp; B</title>" in text.html
    assert 'href="https://example.com/?a=1&amp;b=&#34;2&#34;"' in text.html
    assert 'href="https://u.test/x"' in text.html


def test_without_a_name_link_and_footer_nothing_is_left_of_them() -> None:
    values = {"customer": {"id": "7", "name": ""}, "body": "", "about": "your carpet"}
    text = write("review_request", "How was it?", values, None, Footer())
    assert text.text.startswith("Hello,\n\nthank you for having chosen us: your carpet.\n\n")
    assert "--" not in text.text
    assert "href" not in text.html
