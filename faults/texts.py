"""Texts and payloads that have hurt others: some of our own, and public collections where they are at hand.

The collections are not part of this repository; they are looked for in $BELLHAND_TEST_DATA (default ../shared/data).
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from .fleet import ROOT

OWN_TEXTS = (
    "\x00", "a\x00b", "\ud800", "\udfff tail", "\ud83d\ude00 as surrogates", "\U0001f600", "\r\n\r\n", "\x1b[2J\x1b[31mred", "\x7f\x80\x9f",
    "\u202egnp.exe", "\ufeff", "\ufffe\uffff", "%s %d %n", "{0} {a.__class__}", "'; drop table bellhand.jobs; --", "\\u0000", "\\x00", "x" * 200_000,
    "é" * 5_000, "", " ", "\t", "null", "NaN", "Infinity", "-1e400",
)  # fmt: skip

# Payloads as text. Some are refused by Postgres at the INSERT, some can be stored and not be read by Python.
OWN_PAYLOADS = {
    "null": "null",
    "scalar": "1",
    "text": '"text"',
    "array": "[]",
    "nested 990": "[" * 990 + "]" * 990,
    "nested 1000": "[" * 1000 + "]" * 1000,
    "nested 5000": "[" * 5000 + "]" * 5000,
    "nested objects": '{"a":' * 2000 + "1" + "}" * 2000,
    "4300 digits": "9" * 4300,
    "4301 digits": "9" * 4301,
    "5000 digits in an object": '{"n": ' + "9" * 5000 + "}",
    "1e131071": "1e131071",
    "-1e131071 in an array": "[-1e131071]",
    "1e-16000": "1e-16000",
    "a million digits": "1" * 100_000,
    "keys that are the same": '{"a": 1, "a": 2}',
    "10000 keys": json.dumps({f"k{n}": n for n in range(10_000)}),
    "half a surrogate": r'"\ud800"',
    "NUL": r'"\u0000"',
    "an emoji": r'"\ud83d\ude00"',
    "900 kB": json.dumps("x" * 900_000),
    "2 MB": json.dumps("x" * 2_000_000),
    "64 MB": json.dumps("x" * 64_000_000),
    "a key of 100 kB": json.dumps({"k" * 100_000: 1}),
}


def collections() -> Path | None:
    """Where the public collections are, if they are at hand."""
    folder = Path(os.environ.get("BELLHAND_TEST_DATA") or ROOT.parent / "shared" / "data")
    return folder if folder.is_dir() else None


def texts() -> list[str]:
    """All texts."""
    found = list(OWN_TEXTS)
    if folder := collections():
        found += json.loads((folder / "strings" / "blns.json").read_text())
        for name in ("xss_alert.txt", "BRUTELOGIC-XSS-STRINGS.txt"):
            found += (folder / "strings" / name).read_text(errors="surrogateescape").splitlines()
    return found


def payloads() -> dict[str, str]:
    """All payloads by name."""
    found = dict(OWN_PAYLOADS)
    if folder := collections():
        for file in sorted((folder / "json" / "test_parsing").glob("*.json")):
            found[file.name] = file.read_text(errors="surrogateescape")
    return found
