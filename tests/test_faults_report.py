"""The table of faults that were played, and the memory of a soak by quarters."""

import json
from pathlib import Path
from typing import Any

from faults.report import table
from faults.soak import Curve


def verdict(folder: Path, **told: Any) -> None:
    folder.mkdir(parents=True)
    figures = {"jobs": 10, "lost": 0, "settled_twice": 0, "reruns": 2, "overlap_max_s": 0.0}
    known = {"fault": "F1", "title": "killed", "postgres": "18.4", "held": True, "load": [0.5, 1.25]}  # fmt: skip
    (folder / "verdict.json").write_text(json.dumps(known | told | {"figures": figures | told.get("figures", {})}))  # fmt: skip


def test_a_fault_is_a_row_with_the_values_of_each_version(tmp_path: Path) -> None:
    recovery = {"recoveries": 3, "recovery_p50_s": 2.81, "recovery_p99_s": 3.0, "recovery_max_s": 3.25}  # fmt: skip
    verdict(tmp_path / "b" / "F1", postgres="15.18", figures={"jobs": 12})
    verdict(tmp_path / "a" / "F1", figures=recovery)
    verdict(tmp_path / "a" / "F10-frozen", fault="F10-frozen", title="frozen", held=False, load=[3.0, 2.0])  # fmt: skip
    verdict(tmp_path / "a" / "F2", fault="F2", title="stopped")
    rows = [line.strip("| ").split(" | ") for line in table([tmp_path]).splitlines()[2:]]
    assert rows == [
        ["F1 killed", "15.18, 18.4", "12, 10", "0", "0", "2", "-, 2.8 / 3.0 / 3.2", "0", "1.2"],
        ["F2 stopped", "18.4", "10", "0", "0", "2", "-", "0", "1.2"],
        ["F10-frozen frozen", "18.4 BROKEN", "10", "0", "0", "2", "-", "0", "3.0"],
    ]


def test_memory_has_grown_where_the_last_quarter_is_above_the_second() -> None:
    flat = Curve(bytes=[90, 70, 71, 71, 70, 71, 71, 71], descriptors=[9] * 8)
    assert flat.growth() == (0, 0)
    assert Curve(bytes=list(range(80)), descriptors=[9, 9, 9, 12]).growth() == (40, 3)
    assert Curve(bytes=[5], descriptors=[3]).growth() == (0, 0)
    assert Curve().growth() == (0, 0)
