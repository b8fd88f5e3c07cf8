"""What pages are made of: searches, trees, forms, bars; no database and no browser."""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellhand.dashboard.alike import alike
from bellhand.dashboard.forms import fields, filled, payload_of
from bellhand.dashboard.job import gantt
from bellhand.dashboard.search import duration_seconds, parse
from bellhand.dashboard.site import local
from bellhand.dashboard.tree import HIDDEN, NODES_MAX, loads, tree
from bellhand.dashboard.words import spoken, steps_said
from bellhand.resource import progress
from bellhand.states import OVER
from bellhand.steps import progressed
from pages import Steps


def test_a_search_is_read_as_it_is_written() -> None:
    search = parse(
        'state:failed kind:a.b owner:"u 1" tag.team:core payload.site.id:5 since:2h slow:90s timed out'
    )
    assert search.states == {"failed"}
    assert (search.kind, search.owner, search.words) == ("a.b", "u 1", "timed out")
    assert (search.paths, search.values) == (("tag.team", "payload.site.id"), ("core", "5"))
    assert (search.since_seconds, search.slow_seconds, search.problems) == (7200, 90, ())


def test_words_of_other_systems_name_states() -> None:
    assert parse("state:queued").states == {"pending"}
    assert parse("state:over").over == OVER | {"partial"}
    assert parse("state:failed,retrying").live == {"retrying"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("state:faild", "did you mean failed"),
        ("knid:x", "did you mean kind:"),
        ("since:soon", "is no duration"),
    ],
)
def test_what_is_not_understood_is_left_out_and_told(text: str, said: str) -> None:
    assert said in parse(text).problems[0]


@given(st.text())
def test_any_text_can_be_searched_for(text: str) -> None:
    parse(text)


@given(st.text(max_size=12))
def test_a_duration_is_a_number_or_refused(text: str) -> None:
    with suppress(ValueError):
        assert duration_seconds(text) >= 0


def test_trees_hide_secrets_keep_numbers_and_end() -> None:
    found = tree(
        loads(
            '{"api_key": "sk-1", "n": 12345678901234567890123, "f": 0.10, "in": {"password": [1]}}'
        )
    )
    leaves = {child["name"]: child for child in found["children"]}
    assert leaves["api_key"]["text"] == HIDDEN
    assert leaves["n"]["text"] == "12345678901234567890123"
    assert leaves["f"]["text"] == "0.10"
    assert leaves["in"]["children"][0]["text"] == HIDDEN
    many = tree({str(n): list(range(99)) for n in range(99)})
    assert sum(1 + len(child["children"]) for child in many["children"]) <= NODES_MAX


def test_a_form_gives_back_the_payload_it_was_filled_with() -> None:
    schema = Steps.model_json_schema()
    payload = {"names": ["a", "b c"], "wait_for": "x", "fail": None, "api_key": "sk-1"}
    form = filled(payload)
    assert [field["how"] for field in fields(schema, form)] == ["lines", "text", "text", "text"]
    assert payload_of(schema, form) == ({"names": ["a", "b c"], "wait_for": "x"}, {})
    chosen = {"properties": {"n": {"enum": [5, "x", "6"]}}}
    assert payload_of(chosen, {"p.n": "5"}) == ({"n": 5}, {})
    assert payload_of(chosen, {"p.n": "6"}) == ({"n": "6"}, {})
    either = {"properties": {"places": {"type": ["array", "string"]}}}  # as the leads take them
    assert payload_of(either, {"p.places": "Dhaka\r\nDelhi"}) == (
        {"places": ["Dhaka", "Delhi"]},
        {},
    )
    number = {"properties": {"n": {"type": "integer"}}}
    assert payload_of(number, {"p.n": "seven"}) == ({}, {"n": "this is not a number"})
    assert payload_of(None, {"json": "{"})[1]["json"].startswith("this is no JSON")


def test_bars_of_steps_lie_within_the_whole() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    times = [(0, 2), (2, 2), (1, 10), (9.999, None)]
    steps = [
        {"started_at": (now + timedelta(seconds=a)).isoformat(), "finished_at": (now + timedelta(seconds=b)).isoformat() if b else None}
        for a, b in times
    ]  # fmt: skip
    drawn, span = gantt(steps, now + timedelta(seconds=20))
    assert span == 20
    assert [step["x"] for step in drawn] == [0, 100, 50, 500]
    assert all(step["width"] > 0 and step["x"] + step["width"] <= 1000 for step in drawn)


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
        "jobs",
        "",
    ],
)
def test_nobody_is_sent_to_another_site(path: str) -> None:
    assert local(path) == "/"


@pytest.mark.parametrize(
    ("seconds", "over", "said"),
    [
        (None, False, "Half of them take 10 s to 30 s, the median is 20 s."),
        (0.0, True, "It took 0 ms, shorter than any of them."),
        (25.5, True, "It took 26 s, longer than 63 % of them."),
        (20.0, True, "It took 20 s, longer than 50 % of them."),
        (400.0, False, "It has run for 6 min 40 s, longer than any of them."),
    ],
)
def test_a_run_is_told_beside_those_of_its_kind(seconds, over, said):
    quantiles = [n + 0.001 for n in range(41)] if seconds == 0.0 else [float(n) for n in range(41)]
    told = alike({"samples": 9, "since": "now", "quantiles": quantiles}, seconds, over=over)
    assert told["said"].startswith(said)


@given(
    st.lists(st.floats(0, 1e7), min_size=41, max_size=41).map(sorted), st.none() | st.floats(0, 1e8)
)
def test_the_strip_stays_in_its_picture(quantiles, seconds):
    told = alike({"samples": 9, "since": "now", "quantiles": quantiles}, seconds, over=True)
    for begin, width in (
        told["most"],
        told["half"],
        (told["median"], 0),
        (told["here"] or 0, told["mark"]),
    ):
        assert begin >= 0
        assert begin + width <= told["width"]
    assert "nan" not in told["said"]


@pytest.mark.parametrize(("state", "told", "steps", "seen", "heard"), [
    ("running", {"done": 3, "total": 4, "percent": 75.0}, (0, 0), "75 % · 3/4", "75 percent, 3 of 4"),
    ("running", {"done": 3, "total": 4}, (0, 0), "75 % · 3/4", "75 percent, 3 of 4"),  # by psql
    ("running", {"done": 3, "total": 6, "percent": 75.0}, (0, 0), "75 % · 3/6", "75 percent, 3 of 6"),  # its total grew
    ("running", {"done": 4, "total": 4, "percent": 100.0}, (0, 0), "finishing · 4/4", "finishing, 4 of 4"),
    ("running", {"steps_total": 1, "percent": 100.0}, (1, 0), "after its last known step · 1/1", "after its last known step, 1 of 1 steps"),
    ("running", {"steps_total": 2, "percent": None}, (2, 0), "2 steps done", ""),
    ("running", {"steps_total": 2, "percent": None}, (1, 1), "1 step done", "1 step failed"),
    ("running", {"steps_total": 3, "percent": 66.7}, (1, 1), "67 % · 1/3", "67 percent, 1 of 3 steps, 1 step failed"),
    ("retrying", {"steps_total": 2}, (1, 1), "50 % · 1/2", "50 percent, 1 of 2 steps, 1 step failed"),
    ("completed", {"done": 4, "total": 4}, (0, 0), "100 % · 4/4", "100 percent, 4 of 4"),
    ("completed", {"done": 4, "total": 5}, (0, 0), "100 %", "100 percent"),  # it did not say the last one
    ("partial", {"steps_total": 4}, (3, 1), "3/4", "100 percent, 3 of 4 steps, 1 step failed"),
    ("pending", {}, (0, 0), "", ""),
])  # fmt: skip
def test_a_bar_says_finishing_where_99_percent_would_say_nothing(
    state, told, steps, seen, heard
) -> None:
    done, failed = steps
    row = {
        "state": "completed" if state == "partial" else state, "progress": json.dumps(told), "attempts": int(state == "retrying"),
        "steps_total": done + failed, "steps_done": done, "steps_failed": failed,
    }  # fmt: skip
    job = {"state": row["state"], "partial": state == "partial", "progress": progress(row)}
    assert (steps_said(job), spoken(job)) == (seen, heard)
    assert job["progress"]["percent"] != 100.0 or row["state"] == "completed"


@given(st.lists(st.tuples(st.integers(-1, 9), st.integers(-1, 9))))
def test_a_bar_never_goes_back_within_a_stage(told) -> None:
    """Whatever its handler counts, and however late it learns how much there is."""
    state: dict[str, object] = {}
    seen = 0.0
    for done, total in told:
        state |= {"done": done, "total": total}
        percent = progressed(state, None).get("percent", seen)
        assert seen <= percent <= 100
        seen = percent
