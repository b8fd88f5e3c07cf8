"""The comparison with Scrapy: its own side runs, and counts what is on the pages."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.sites import __main__ as bench_sites
from support import ROOT

PAGES = {
    "one.html": "<p>info@acme-glass.com, call (413) 732-8702",
    "two.html": "<a href='https://www.facebook.com/acmeglass'>f</a><p>sales@acme-glass.com",
}


@pytest.mark.parametrize(("extract", "found"), [(0, (0, 0, 0)), (1, (4, 2, 2))])
def test_our_side_visits_every_page_and_finds_what_is_there(
    tmp_path: Path, extract: int, found: tuple[int, int, int]
) -> None:
    pytest.importorskip("uvloop", reason="needs the extra `fast`")
    for name, text in PAGES.items():
        (tmp_path / name).write_text(text)
    run = [sys.executable, "-m"]
    server = subprocess.Popen(
        [*run, "bench.sites.pages", str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        port = server.stdout.readline().strip()
        urls = [f"http://127.0.0.1:{port}/{name}?{n}" for n in range(2) for name in PAGES]
        done = subprocess.run(
            [*run, "bench.sites.ours", port, "4", str(extract)],
            cwd=ROOT, input=" ".join(urls), capture_output=True, text=True, timeout=30, check=True,
        )  # fmt: skip
    finally:
        server.kill()
        server.communicate()
    result = json.loads(done.stdout)
    assert result["pages"] == 4
    assert (result["emails"], result["phones"], result["socials"]) == found
    assert 0 < result["seconds"] < 30


def test_without_pages_it_says_what_it_needs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench_sites.main(tmp_path / "nowhere") == 1
    assert "BELLHAND_TEST_DATA" in capsys.readouterr().out
