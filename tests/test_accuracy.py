"""E-mail addresses on real pages, against what people labelled."""

from pathlib import Path

from accuracy import measure


async def test_every_labelled_address_is_found_and_hardly_anything_else(test_data: Path):
    report = await measure(test_data / "websites")
    print(report)
    assert report.pages == 286
    assert report.labels > 80
    assert report.recall == 1.0, report.missed
    assert report.precision > 0.95, report.extra
    # Even if what links hide behind another address counted, it would not be many.
    assert report.precision_with_aliases > 0.93, report.aliases


async def test_what_is_found_without_a_label_is_on_the_page_all_the_same(test_data: Path):
    """Pages without labels were labelled for other things: judge them by their own markup."""
    report = await measure(test_data / "websites")
    pages = test_data / "websites" / "pages"
    plain = 0
    for page, email in [*report.extra, *report.unlabelled]:
        source = (pages / page).read_text(encoding="utf-8", errors="replace").lower()
        plain += email.address in source
    found = len(report.extra) + len(report.unlabelled)
    assert found > 100
    # The rest are written in entities or percent signs; the report lists every one.
    assert plain >= found - 5
