"""`bellhand seo`: crawls that are listed, reports that come out whole."""

# ruff: noqa: F401, F811 (fixtures are used by name)

from pathlib import Path

from commands import Bellhand, bare, bellhand

CRAWL = """
  with s as (insert into bellhand_seo.sites (url) values ('https://shop.example/') returning id)
  insert into bellhand_seo.crawls (site_id, job_id, job_key, epoch, url, options, state, pages, links)
    select s.id, 1, gen_random_uuid(), 1, 'https://shop.example/', '{}', 'completed', 12, 90 from s returning id"""
ANALYSIS = """
  insert into bellhand_seo.analyses (crawl_id, job_id, state, score, details)
    values ($1, 2, 'completed', 61.5, '{"severities": {"error": 3, "warning": 0, "notice": 7}}')"""
REPORT = "insert into bellhand_seo.reports (crawl_id, job_id, format, completed) values ($1, 3, $2, $3) returning id"
PART = "insert into bellhand_seo.report_parts (report_id, place, body) values ($1, $2, $3)"


def test_crawls_are_listed_with_what_was_found(bellhand: Bellhand) -> None:
    assert "seo.crawl" in bellhand("seo", "crawls").err, "an empty list says how to begin"
    crawl = bellhand.sql(CRAWL)[0][0]
    assert bellhand("seo", "crawls").words[1][:1] == [str(crawl)]
    bellhand.sql(ANALYSIS, crawl)
    said = bellhand("seo", "crawls").out
    assert "3 errors, 7 notices" in said
    assert "https://shop.example/" in said
    (found,) = bellhand("seo", "crawls", "--json").json
    assert (found["score"], found["issues"]["error"], found["reports"]) == (61.5, 3, None)


def test_a_report_comes_in_one_piece_to_stdout_or_to_a_new_file(
    bellhand: Bellhand, tmp_path: Path
) -> None:
    crawl = bellhand.sql(CRAWL)[0][0]
    for name, completed, parts in (
        ("html", True, [b"<p>one", b"two</p>"]),
        ("pdf", False, [b"%PDF half"]),
    ):
        report = bellhand.sql(REPORT, crawl, name, completed)[0][0]
        for place, part in enumerate(parts):
            bellhand.sql(PART, report, place, part)
    assert bellhand("seo", "report", str(crawl)).out == "<p>onetwo</p>"
    target = tmp_path / "report.html"
    assert bellhand("seo", "report", str(crawl), "-o", str(target)).code == 0
    assert target.read_bytes() == b"<p>onetwo</p>"
    again = bellhand("seo", "report", str(crawl), "-o", str(target))
    assert (again.code, "cannot be written" in again.err) == (2, True)
    unready = bellhand("seo", "report", str(crawl), "--format", "pdf")
    assert unready.code == 1
    assert "there is html" in unready.err
    assert f"seo.report crawl_id={crawl}" in unready.err
    assert bellhand("seo", "report", "4711").code == 3
