"""Where a reader of the log stands, as text: what goes in comes out, and nothing else is taken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellhand.api.cursor import BEGINNING, Cursor, Snapshot

XIDS = st.integers(3, 2**62)


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    xmax = draw(XIDS)
    behind = draw(st.sets(st.integers(1, min(1000, xmax - 3)), max_size=20)) if xmax > 3 else set()
    return Snapshot(xmax, tuple(sorted(xmax - n for n in behind)))


@given(snapshots())
def test_a_snapshot_reads_as_postgres_writes_it(snapshot: Snapshot) -> None:
    assert Snapshot.of(str(snapshot)) == snapshot
    assert Snapshot.parse(snapshot.word) == snapshot
    assert snapshot.covers(snapshot)


@given(snapshots(), snapshots(), XIDS)
def test_who_covers_another_sees_what_it_sees(a: Snapshot, b: Snapshot, xid: int) -> None:
    near = {xid, a.xmax - 1, b.xmax - 1, *a.pending, *b.pending}
    if a.covers(b):
        assert all(a.sees(one) for one in near if b.sees(one))
    else:
        assert any(b.sees(one) and not a.sees(one) for one in (*near, *range(a.xmax, min(a.xmax + 1001, b.xmax))))  # fmt: skip


@given(snapshots(), snapshots(), XIDS, st.integers(0, 2**62))
def test_a_cursor_survives_a_header(before: Snapshot, until: Snapshot, xid: int, seq: int) -> None:
    for cursor in (Cursor(before), Cursor(before).at(until, xid, seq), BEGINNING):
        text = str(cursor)
        assert Cursor.parse(text) == cursor
        assert text.isascii()
        assert not set(text) - set("0123456789abcdefghijklmnopqrstuvwxyz._")


@pytest.mark.parametrize(
    "text", ["", "A", "1", "z_1", "z_z_1", "a.", ".a", "z.zz", "3.0", "z__1_1", "z_z_1_-1", "z" * 14, "z." * 3000 + "1"],
)  # fmt: skip
def test_nothing_else_is_a_cursor(text: str) -> None:
    with pytest.raises(ValueError, match="no place in the log"):
        Cursor.parse(text)
