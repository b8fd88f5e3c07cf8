"""`bellhand support-bundle`: what helps, and nothing that is a secret or a customer's."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import json
import tarfile
from pathlib import Path

import pytest

from bellhand.cli.bundle import CONTENTS
from commands import Bellhand, bare, bellhand

SECRETS = ("hunter22-token-of-16", "k-s3cr3t", "alice@example.com", "tenant-7", "p4ssw0rd")


@pytest.fixture
def full(bellhand: Bellhand, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bellhand:
    """A system with a secret wherever one can be."""
    (tmp_path / "config.toml").write_text(
        f'[status]\ntoken = "{SECRETS[0]}"\nport = 0\n[services.serpapi]\nkey = "{SECRETS[1]}"\n'
        f'[schedules.nightly]\ncron = "0 3 * * *"\nkind = "sites.validate"\npayload = {{ mail = "{SECRETS[2]}" }}\n'
    )
    bellhand.kind("a")
    bellhand.job("a", payload=json.dumps({"mail": SECRETS[2]}), owner=SECRETS[3])
    bellhand.over("failed", error=f"ValueError: password={SECRETS[4]} for {SECRETS[2]}", kind="a")
    bellhand.sql("insert into bellhand.schedules (name, cron, kind, payload) values ('s', '0 3 * * *', 'a', $1::text::jsonb)", json.dumps({"mail": SECRETS[2]}))  # fmt: skip
    bellhand.sql("select bellhand.group_failures()")
    return bellhand


def read(file: Path) -> dict[str, str]:
    found = {}
    with tarfile.open(file) as archive:
        for entry in archive:
            text = archive.extractfile(entry)
            assert text
            found[Path(entry.name).name] = text.read().decode()
    return found


def test_it_lists_what_is_in_it_and_holds_no_secret(full: Bellhand, tmp_path: Path) -> None:
    dry = full.ok("support-bundle", "--dry-run")
    assert not list(tmp_path.glob("*.gz"))
    said = full.ok("support-bundle")
    assert [line.split()[0] for line in said.out.splitlines()] == list(CONTENTS)
    assert [line.split()[0] for line in dry.out.splitlines()] == list(CONTENTS)
    file = tmp_path / "bellhand-support.tar.gz"
    assert file.stat().st_mode & 0o777 == 0o600
    found = read(file)
    assert list(found) == list(CONTENTS)
    everything = "".join(found.values())
    assert {secret for secret in SECRETS if secret in everything} == set()
    assert full.dsn.partition("password=")[2] == "" or full.dsn not in everything
    assert json.loads(found["schedules.json"])["schedules"][0]["name"] == "s"
    assert json.loads(found["failures.json"])["failures"][0]["kind"] == "a"
    assert any(one["layer"] == "workers" for one in json.loads(found["doctor.json"]))
    again = full("support-bundle")
    assert again.code == 1, "it overwrites nothing"


def test_without_a_database_the_rest_is_there(full: Bellhand, tmp_path: Path) -> None:
    away = "postgresql://x:p4ssw0rd@127.0.0.1:1/x"
    full.ok("--dsn", away, "support-bundle", "--output", "b.tar.gz", "--no-errors")
    found = read(tmp_path / "b.tar.gz")
    assert "failures.json" not in found
    assert json.loads(found["status.json"])["not_to_be_had"] == "the database cannot be reached"
    assert "p4ssw0rd" not in "".join(found.values())
    assert "worker.concurrency = 64" in found["settings.json"]
