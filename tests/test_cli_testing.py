"""`bellhand test`: kinds that say of themselves what holds, and kinds that say what does not."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import pytest

from commands import Bellhand, bare, bellhand
from support import Server

pytestmark = pytest.mark.slow  # what it asks of Postgres others ask on each version


def test_every_kind_is_held_to_its_schema_its_examples_and_to_surviving(
    bellhand: Bellhand, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BELLHAND_TEST_DSN", server.dsn)
    monkeypatch.setenv("BELLHAND_MODULES", "tried_handlers")
    said = bellhand("test", "--crash", "--json")
    assert said.code == 1
    found = {one["kind"].partition(".")[2]: one for one in said.json}
    parts = {name: (one["schema"], one["example"], one["crash"].partition(":")[0]) for name, one in found.items()}  # fmt: skip
    assert parts == {
        "fit": ("ok", "ok", "ok"),
        "forgetful": ("ok", "ok", "failed"),
        "outside": ("ok", "ok", "left out"),
        "refused": ("ok", "failed", "not tried"),
        "untold": ("failed", "not tried", "not tried"),
        "needy": ("ok", "none", "no example"),
        "lacking": ("ok", "ok", "left out"),
        "partly": ("ok", "ok", "ok"),
    }
    assert [name for name, one in found.items() if one["holds"]] == [
        "fit",
        "outside",
        "needy",
        "lacking",
        "partly",
    ]
    assert found["lacking"]["crash"].endswith("needs more than is here: there is no shop 7")
    assert "the same names in every run" in found["forgetful"]["problems"][0]
    assert "less than or equal to 10" in found["refused"]["problems"][0]
    assert "NaN" in found["untold"]["problems"][0]
    missing = bellhand("test", "tried.outsid")
    assert (missing.code, "did you mean tried.outside?" in missing.err) == (3, True)


def test_a_kind_that_is_named_is_run_whatever_it_does_outside(
    bellhand: Bellhand, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BELLHAND_TEST_DSN", server.dsn)
    said = bellhand.ok("test", "tried.outside", "--module", "tried_handlers", "--crash")
    assert said.out == "✓ tried.outside  schema ok, example ok, crash ok\n"
    assert said.err == "1 kind: all that was tried holds\n"
