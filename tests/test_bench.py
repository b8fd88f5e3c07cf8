"""The benchmark: it runs from end to end, says plainly what it left out, and counts right."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import bench.install
import bench.peers.graphile
import bench.peers.python
from bench.arithmetic import percentile, percentiles, ratio, spread
from bench.peers import PEERS
from bench.pgbench import PgbenchFailed, read
from bench.plots import draw
from bench.report import markdown
from bench.results import load
from support import ROOT

PROCESS_SECONDS = 300
SESSION: dict[str, Any] = {
    "at": "2030-01-07 09:00 UTC", "runs": 3, "scale": 1,
    "machine": {"cores": 2, "processor": "Abacus", "memory_gb": 8, "kernel": "6", "python": "3.11"},
    "postgres": {"server_version": "18.1 (Something)", "fsync": "on"},
    "peers": {"bellhand": {"version": "1", "settings": "plain"}, "graphile": {"version": "2", "settings": "tuned"},
              "pgqueuer": {"version": "3", "settings": "tuned"}},
}  # fmt: skip


def run_of(
    figure: str, peer: str, variant: str, others: float = 0.0, **values: Any
) -> dict[str, Any]:
    return {
        "figure": figure,
        "peer": peer,
        "variant": variant,
        "run": 1,
        "values": values,
        "others_cores": others,
    }


def written(folder: Path, *lines: dict[str, Any]) -> Path:
    path = folder / "results.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in ({"session": SESSION}, *lines)))
    return path


def table_row(text: str, label: str) -> list[str]:
    """The cells of a row of any of the tables."""
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {label} ")]
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


# -- arithmetic


def test_the_median_of_an_even_number_of_runs_lies_between_the_middle_two() -> None:
    seen = spread([9.0, 1.0, 4.0, 2.0])
    assert (seen.median, seen.low, seen.high, seen.runs) == (3.0, 1.0, 9.0, 4)


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = list(range(1, 101))
    assert percentiles(values, 50, 95, 99) == {"p50": 50, "p95": 95, "p99": 99}
    assert percentile([7.0], 99) == 7.0
    assert percentile([3.0, 1.0, 2.0], 50) == 2.0


def test_the_best_peer_is_the_fastest_or_the_cheapest() -> None:
    assert ratio(120, [40, 60], more_is_better=True) == 2.0
    assert ratio(3, [2, 6], more_is_better=False) == 1.5
    assert ratio(3, [], more_is_better=True) is None
    assert ratio(3, [0.0], more_is_better=False) is None


def test_pgbench_is_read_and_its_failure_is_not_a_figure() -> None:
    said = "number of transactions actually processed: 480\ntps = 12345.678 (without initial connection time)\n"
    ran = read(said, 0)
    assert (ran.transactions, ran.per_second) == (480, 12345.678)
    with pytest.raises(PgbenchFailed, match="exit code 2"):
        read(said, 2)
    with pytest.raises(PgbenchFailed, match="connection refused"):
        read("pgbench: error: connection refused", 0)


# -- report


def test_the_report_has_medians_ranges_and_the_ratio_to_the_best_peer(tmp_path: Path) -> None:
    rates = {
        "bellhand": (120.0, 150.0, 90.0),
        "graphile": (80.0, 60.0, 70.0),
        "pgqueuer": (20.0, 30.0, 25.0),
    }
    path = written(
        tmp_path,
        *(run_of("drain", peer, "one worker", per_second=rate) for peer, some in rates.items() for rate in some),
        *(run_of("pickup", peer, "idle worker", p50=ms) for peer, ms in (("bellhand", 1.0), ("graphile", 4.0), ("pgqueuer", 2.0))),
        run_of("floor", "sql", "narrow, one client", per_second=240.0),
    )  # fmt: skip
    text = markdown(load([path]))
    assert table_row(text, "drain, one worker process") == [
        "jobs/s", "120 [90.0 to 150]", "70.0 [60.0 to 80.0]", "25.0 [20.0 to 30.0]", "1.71",
    ]  # fmt: skip
    assert table_row(text, "pickup by an idle worker, p50")[-1] == "0.50"
    assert table_row(text, "narrow, one client") == ["240", "0.50", ""]
    assert "FAILED" not in text


def test_runs_that_others_disturbed_count_only_where_there_are_no_others(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        run_of("drain", "bellhand", "one worker", per_second=100.0),
        run_of("drain", "bellhand", "one worker", 0.9, per_second=10.0),
        run_of("drain", "graphile", "one worker", 0.9, per_second=50.0),
    )
    cells = table_row(markdown(load([path])), "drain, one worker process")
    assert cells == ["jobs/s", "100", "50.0 ~", "", "2.00 ~"]


def test_a_run_that_failed_is_told_and_not_counted(tmp_path: Path) -> None:
    failed = {
        "figure": "drain",
        "peer": "graphile",
        "variant": "one worker",
        "run": 2,
        "error": "it fell over",
    }
    path = written(tmp_path, run_of("drain", "bellhand", "one worker", per_second=5.0), failed)
    text = markdown(load([path]))
    assert "FAILED: drain graphile one worker, run 2: it fell over" in text
    assert table_row(text, "drain, one worker process") == ["jobs/s", "5.00", "", "", ""]


def test_degradation_is_told_against_the_clean_runs_of_the_same_session(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        run_of("degrade", "bellhand", "clean", per_second=200.0, parts=[200.0, 200.0]),
        run_of("degrade", "bellhand", "clean", per_second=100.0, parts=[100.0, 100.0]),
        run_of("degrade", "bellhand", "horizon pinned", per_second=120.0, parts=[2000.0, 1000.0]),
    )
    cells = table_row(markdown(load([path])), "bellhand | horizon pinned")
    assert cells[1:] == ["120", "0.80", "2.00, 1.00"]


def test_the_same_figures_make_drawings(tmp_path: Path) -> None:
    lines = [
        run_of("drain", peer, "one worker", per_second=rate)
        for peer, rate in (("bellhand", 90_000.0), ("graphile", 60_000.0))
    ]
    files = draw(load([written(tmp_path, *lines)])[0], tmp_path / "plots")
    assert [file.name for file in files] == ["drain.svg"]
    svg = files[0].read_text()
    assert "90,000 jobs/s" in svg
    assert svg.count("<rect") == 3  # the background and two bars


# -- running it


def test_a_peer_that_is_not_installed_is_named_and_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(bench.peers.python, "PYTHON", tmp_path / "python")
    monkeypatch.setattr(bench.peers.graphile, "NODE", tmp_path / "node")
    for name in ("graphile", "pgqueuer", "procrastinate"):
        missing = PEERS[name].missing()
        assert missing is not None
        assert name in missing
        assert "python -m bench install" in missing
    assert PEERS["bellhand"].missing() is None


def test_what_cannot_be_installed_is_said_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(bench.install, "HOME", tmp_path)
    said = bench.install.bring(
        "a thing", tmp_path / "program", bench.install.PACKAGE, [["no-such-program"]]
    )
    assert said is not None
    assert said.startswith("a thing cannot be installed: ")
    assert not list(tmp_path.glob("*.installed"))


@pytest.mark.slow
@pytest.mark.database
@pytest.mark.timeout(PROCESS_SECONDS + 10)
def test_it_measures_bellhand_from_end_to_end(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "bench",
        "--peers",
        "bellhand",
        "--runs",
        "1",
        "--scale",
        "0.001",
        "--postgres",
        "embedded",
    ]
    figures = "drain,enqueue,single,pickup"
    done = subprocess.run([*command, "--figures", figures, "--out", str(tmp_path)], cwd=ROOT, capture_output=True,
                          text=True, timeout=PROCESS_SECONDS, check=False)  # fmt: skip
    (path,) = tmp_path.glob("*.jsonl")
    (results,) = load([path])
    # So few jobs may all be done before the second process begins.
    failed = [error for error in results.errors if error["variant"] != "two workers"]
    assert failed == [], done.stdout + done.stderr
    assert done.returncode == (1 if results.errors else 0), done.stdout + done.stderr
    for figure, variant, value in (
        ("drain", "one worker", "per_second"), ("drain", "one worker", "wal_bytes"), ("enqueue", "COPY", "per_second"),
        ("single", "a worker working", "done_per_second"), ("single", "the same table, no trigger", "per_second"),
        ("pickup", "idle worker", "p99"),
    ):  # fmt: skip
        seen = results.look(figure, "bellhand", variant, value)
        assert seen is not None, (figure, variant)
        assert seen.median > 0, (figure, variant, value)
    assert table_row(done.stdout, "drain, one worker process")[0] == "jobs/s"
    assert "Not to be quoted" in done.stdout
