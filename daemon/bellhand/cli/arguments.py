"""Arguments that many commands take: how each is explained, and what Tab offers for it."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from bellhand.cli.completing import channels, failures, jobs, kinds, lanes, schedules

JOB = "An id, a key or its first digits, or @last"
JOBS = "Ids, keys or their first digits, @last; - reads them from stdin."
Job = Annotated[str, Parameter(help=f"{JOB}.", completer=jobs)]
Jobs = Annotated[str, Parameter(help=JOBS, completer=jobs)]
Kind = Annotated[str, Parameter(help="The kind, as `bellhand kinds` lists them.", completer=kinds)]
Lane = Annotated[str, Parameter(help="A lane.", completer=lanes)]
Schedule = Annotated[str, Parameter(help="A schedule.", completer=schedules)]
Reason = Annotated[str | None, Parameter(help="Why; shown wherever it is listed.")]
Channel = Annotated[str, Parameter(help="A channel.", completer=channels)]
Failure = Annotated[
    str | None,
    Parameter(
        help="The jobs of this group of failures, as `bellhand failures` has it.",
        completer=failures,
    ),
]
OfKind = Annotated[str | None, Parameter(help="Only of this kind.", completer=kinds)]
OfLane = Annotated[str | None, Parameter(help="Only of this lane.", completer=lanes)]
