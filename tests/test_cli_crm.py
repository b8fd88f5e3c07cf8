"""`bellhand crm`: reports that are listed and come out whole."""

# ruff: noqa: F401, F811 (fixtures are used by name)

from pathlib import Path

from commands import Bellhand, bare, bellhand

SAVE = "select bellhand_crm.save_report($1, $2, $3, 30) as id"


def test_reports_are_listed_and_written_to_stdout_or_to_a_new_file(
    bellhand: Bellhand, tmp_path: Path
) -> None:
    assert "crm.generate_report" in bellhand("crm", "reports").err, "an empty list says how to begin"  # fmt: skip
    bellhand.sql(SAVE, 7, "html", [b"<p>one", b"two</p>"])
    bellhand.sql(SAVE, 7, "xlsx", [b"PK"])
    assert bellhand("crm", "reports").words[1][0] == "7"
    (found,) = bellhand("crm", "reports", "--json").json
    assert (found["job"], found["body_bytes"], found["formats"]) == (7, 15, ["html", "xlsx"])
    assert bellhand("crm", "report", "7").out == "<p>onetwo</p>"
    target = tmp_path / "report.xlsx"
    assert bellhand("crm", "report", "7", "--format", "xlsx", "-o", str(target)).code == 0
    assert target.read_bytes() == b"PK"
    again = bellhand("crm", "report", "7", "-o", str(target))
    assert (again.code, "cannot be written" in again.err) == (2, True)
    unready = bellhand("crm", "report", "7", "--format", "pdf")
    assert (unready.code, "there is html, xlsx" in unready.err) == (1, True)
    assert bellhand("crm", "report", "4711").code == 3
