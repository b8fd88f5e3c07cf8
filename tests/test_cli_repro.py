"""A job that went wrong is written into a folder, without its secrets, and its handler is not run again by accident."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import json
from pathlib import Path

import pytest

from commands import Bellhand, bare, bellhand

PAYLOAD = {"url": "https://ada:pass-of-ada@example.com/", "api_key": "key-of-ada", "to": [{"a/b": {"token": "token-of-ada"}, "name": "Ada"}], "none": None}  # fmt: skip
SECRETS = ("pass-of-ada", "key-of-ada", "token-of-ada", "word-of-ada", "owner-of-ada")
REDACTED = {"/url", "/api_key", "/to/0/a~1b/token"}


@pytest.fixture
def failed(bellhand: Bellhand) -> int:
    bellhand.kind("demo.greet")
    job = bellhand.over(
        "failed", kind="demo.greet", payload=json.dumps(PAYLOAD), owner="owner-of-ada", error="OSError: password=word-of-ada"
    )  # fmt: skip
    bellhand.sql("insert into bellhand.steps (job, name, position, state, error, finished_at) values ($1, 'one', 1, 'failed', 'token: token-of-ada', now())", job)  # fmt: skip
    return job


def test_a_job_becomes_a_folder_without_its_secrets(
    bellhand: Bellhand, failed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BELLHAND_MODULES", '["bellhand.dev.demo"]')
    said = bellhand.ok("repro", str(failed), "--json").json
    folder = tmp_path / f"bellhand-repro-{failed}"
    assert (said["folder"], set(said["redacted"])) == (folder.name, REDACTED)
    assert set(said["files"]) == {file.name for file in folder.iterdir()}
    texts = {file.name: file.read_text() for file in folder.iterdir()}
    assert not [secret for secret in SECRETS if secret in "".join(texts.values())]
    assert all((file.stat().st_mode & 0o77) == 0 for file in (folder, *folder.iterdir()))
    job = json.loads(texts["job.json"])
    assert (job["kind"], job["job"]["state"], job["payload"]["to"][0]["name"], job["payload"]["none"]) == ("demo.greet", "failed", "Ada", None)  # fmt: skip
    assert [(step["name"], step["state"]) for step in job["steps"]] == [("one", "failed")]
    assert "bellhand.use('bellhand.dev.demo')" in texts["test_repro.py"]
    compile(texts["test_repro.py"], "test_repro.py", "exec")
    assert all(f"`{path}`" in texts["README.md"] for path in REDACTED)
    again = bellhand("repro", str(failed))
    assert (again.code, "--output" in again.err) == (1, True), again
    assert bellhand.state(failed) == "failed"
    # Where nobody handles the kind there is no test, and it is said.
    monkeypatch.setenv("BELLHAND_MODULES", "[]")
    other = bellhand.ok("repro", str(failed), "--output", "other")
    assert not (tmp_path / "other/test_repro.py").exists()
    assert "no module here handles demo.greet" in other.err


def test_a_job_there_was_is_only_run_again_if_that_is_meant(
    bellhand: Bellhand, failed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BELLHAND_SERVICES__SERPAPI__KEY", "x")
    bellhand.ok("repro", str(failed), "--output", "it")
    missing = bellhand("exec", "--job-file", "it/job.json", "--really")
    assert (missing.code, all(path in missing.err for path in REDACTED)) == (2, True), missing
    file = tmp_path / "it/job.json"
    file.write_text(file.read_text().replace("***", "for-tests"))
    for words in (("--job-file", "it/job.json"), ("--job", str(failed))):
        refused = bellhand("exec", *words)
        assert (refused.code, "configured are serpapi" in refused.err, "--really" in refused.err) == (1, True, True), refused  # fmt: skip
    for words in ((), ("demo.greet", "--job", "1"), ("--job", "1", "--job-file", "it/job.json"), ("--job-file", "none.json"), ("--job-file", "it/README.md")):  # fmt: skip
        assert bellhand("exec", *words).code == 2, words
    assert bellhand("exec", "--job", "987654321").code == 3
