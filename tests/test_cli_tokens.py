"""`bellhand token`: made, shown once, listed without, taken back."""

# ruff: noqa: F401, F811 (fixtures are used by name)

from bellhand.callers import digest
from commands import Bellhand, bare, bellhand


def test_a_token_is_made_listed_and_taken_back(bellhand: Bellhand) -> None:
    assert "no tokens" in bellhand.ok("token", "list").err
    made = bellhand.ok("token", "create", "ci", "--scope", "enqueue", "--expires", "90d")
    token = made.out.strip()
    assert token.startswith("bellhand_")
    assert "bellhand token revoke ci" in made.err
    listed = bellhand.ok("token", "list")
    assert all(word in listed.out for word in ("ci", "enqueue", "good", "cli:", "in 90 d"))
    assert token not in listed.out
    (row,) = bellhand.ok("token", "list", "--json").json
    assert (row["name"], row["scopes"], row["state"]) == ("ci", ["enqueue"], "good")
    assert bellhand.sql("select digest from bellhand.tokens") == [(digest(token),)]
    again = bellhand("token", "create", "ci")
    assert again.code == 1
    assert "bellhand token revoke ci" in again.err
    assert "token ci revoked" in bellhand.ok("token", "revoke", "ci").out
    assert bellhand("token", "revoke", "ci").code == 3
    made = bellhand.ok(
        "token", "create", "ci", "--scope", "read", "--scope", "enqueue", "--json"
    ).json
    assert made["scopes"] == ["read", "enqueue"]
    assert bellhand.ok("token", "list", "--quiet").out.split() == ["ci", "ci"]


def test_a_scope_that_is_none_is_refused(bellhand: Bellhand) -> None:
    said = bellhand("token", "create", "ci", "--scope", "root")
    assert said.code == 2
    assert "root" in said.err
