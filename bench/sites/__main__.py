"""`python -m bench.sites FOLDER`: medians of three runs each, turn by turn, every side on one core.

The pages (real ones: BELLHAND_TEST_DATA/websites/pages) are served from memory by a process on
another core. Either side fetches each `ROUNDS` times, 16 at a time, over kept connections, obeying
robots.txt, and runs the same code of ours on it: parsing alone, or parsing and searching for e-mail
addresses, phone numbers and profiles. The clock begins with the first request, so that neither pays
for its start. What was found must be equal, or there is no figure.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

from bench.install import HOME, ROOT, bring

VENV = HOME / "sites"
PYTHON = VENV / "bin" / "python"
REQUIREMENTS = Path(__file__).parent / "requirements.txt"
SIDES = {"Bellhand": "bench.sites.ours", "Scrapy": "bench.workers.scrapy_sites"}
RUNS = 3
ROUNDS = 4
AT_ONCE = 16
RUN_SECONDS = 300
SUMS = ("pages", "characters", "emails", "phones", "socials")


def main(folder: Path) -> int:
    """Measure and print a table; 1 where that was not possible."""
    if not folder.is_dir():
        print(f"There are no pages in {folder}; name a folder, or set BELLHAND_TEST_DATA.")
        return 1
    pip = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    steps = [
        [sys.executable, "-m", "venv", str(VENV)],
        [*pip, "-r", str(REQUIREMENTS), "--editable", str(ROOT)],
    ]
    HOME.mkdir(exist_ok=True)
    if problem := bring("Scrapy", PYTHON, REQUIREMENTS, steps):
        print(problem)
        return 1
    server = subprocess.Popen(
        [str(PYTHON), "-m", "bench.sites.pages", str(folder)],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, preexec_fn=lambda: _pin(-1),
    )  # fmt: skip
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        names = [path.name for path in sorted(folder.iterdir())]
        urls = [f"http://127.0.0.1:{port}/{name}?{n}" for n in range(ROUNDS) for name in names]
        print(
            "| work | side | pages/s (median of 3) | runs | CPU ms/page |\n| --- | --- | --- | --- | --- |"
        )
        for extract, work in ((0, "fetch and parse"), (1, "fetch, parse and search")):
            _measure(work, extract, port, urls)
    finally:
        server.kill()
        server.wait()
    return 0


def _measure(work: str, extract: int, port: int, urls: list[str]) -> None:
    figures: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    for _ in range(RUNS):
        for side, module in SIDES.items():
            figures[side].append(_run(module, extract, port, urls))
    found = {tuple(run[name] for name in SUMS) for runs in figures.values() for run in runs}
    if len(found) != 1:
        raise SystemExit(f"the sides did not do the same work: {found}")
    for side, runs in figures.items():
        rates = [run["pages"] / run["seconds"] for run in runs]
        cpu = median(1000 * run["cpu_seconds"] / run["pages"] for run in runs)
        said = ", ".join(f"{rate:.0f}" for rate in rates)
        print(f"| {work} | {side} | {median(rates):.0f} | {said} | {cpu:.2f} |", flush=True)


def _run(module: str, extract: int, port: int, urls: list[str]) -> dict[str, float]:
    done = subprocess.run(
        [str(PYTHON), "-m", module, str(port), str(AT_ONCE), str(extract)],
        cwd=ROOT, input="\n".join(urls), capture_output=True, text=True, timeout=RUN_SECONDS,
        check=False, preexec_fn=lambda: _pin(0),
    )  # fmt: skip
    if done.returncode or not done.stdout.strip():
        raise SystemExit(f"{module} failed: {done.stderr[-2000:]}")
    result: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def _pin(place: int) -> None:
    """To one core: the first, or the last for whoever serves."""
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[place]})


if __name__ == "__main__":
    given = os.environ.get("BELLHAND_TEST_DATA") or ROOT.parent / "shared" / "data"
    usual = Path(given) / "websites" / "pages"
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else usual))
