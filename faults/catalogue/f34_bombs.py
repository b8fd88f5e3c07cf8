"""F34 and F35: payloads that cannot be read, texts that cannot be stored; what came in the same batch is not hurt."""

from __future__ import annotations

import itertools
from collections import Counter

import asyncpg

from ..fault import fault
from ..rough_handlers import WHERE
from ..stage import Stage
from ..texts import collections, payloads, texts
from ..witness import read

BATCH = 30
BOMB = "insert into bellhand.jobs (kind, payload) values ('f.bomb', $1::jsonb)"
RUNS_WRONG = """
select job, count(distinct epoch) as runs from faults.jobs where state = 'running' and op = 'U' and kind = any ($1)
group by job having count(distinct epoch) > 1
"""
ROUGH = ["faults.rough_handlers"]


@fault("F34", "payload bombs in the batches of others", seconds=30)
async def bombs(stage: Stage) -> None:
    """The lane is paused while a batch gathers, so that one claim takes bombs and others together."""
    await stage.daemons(2, worker={"concurrency": 200}, modules=ROUGH)
    stored = refused = 0
    mates: list[int] = []
    client = stage.client()
    everything = list(payloads().items())
    stage.dice.shuffle(everything)
    everything = everything[: stage.many(len(everything))]
    for start in range(0, len(everything), BATCH):
        await stage.sql("select bellhand.pause_lane('default')")
        for name, text in everything[start : start + BATCH]:
            try:
                await stage.sql(BOMB, text)
                stored += 1
            except (asyncpg.PostgresError, ValueError) as error:
                refused += 1
                stage.must("connection" not in str(error), "an_insert_broke_the_connection", name)
            mate = await client.enqueue("f.quick", {})
            mates += [mate] if mate else []
        await stage.sql("select bellhand.resume_lane('default')")
    client.drop()
    await _drained(stage)
    rows = await stage.sql(
        "select state, left(error, 11) as error, attempts, count(*) as n from bellhand.history where kind = 'f.bomb' group by 1, 2, 3"
    )
    ends = {(row["state"], row["error"]): row["n"] for row in rows}
    stage.must(
        set(ends) <= {("completed", None), ("failed", "bad_payload"), ("failed", "the result ")},
        "a_bomb_ended_otherwise",
        ends,
    )
    hurt = await stage.value(
        "select count(*) from bellhand.all_jobs where id = any ($1) and (state <> 'completed' or attempts > 0 or crashes > 0)",
        mates,
    )
    again = await stage.sql(RUNS_WRONG, ["f.bomb", "f.quick"])
    stage.figures |= {
        "stored": stored, "refused_at_insert": refused, "failed_as_bad": sum(n for (state, _), n in ends.items() if state == "failed"),
        "mates": len(mates), "mates_hurt": hurt, "collections": "yes" if collections() else "absent",
    }  # fmt: skip
    stage.must(not hurt, "batch_mates_hurt", hurt)
    stage.must(not again, "run_again", [dict(row) for row in again])


async def _drained(stage: Stage) -> None:
    async def drained() -> bool:
        return not await stage.value("select count(*) from bellhand.jobs")

    await stage.until(drained, stage.fault.drain_seconds, "all of them are over")


@fault(
    "F35",
    "texts that cannot be stored, in errors, results, progress, steps, logs and keys",
    seconds=40,
)
async def unstorable(stage: Stage) -> None:
    await stage.daemons(2, worker={"concurrency": 100}, modules=ROUGH)
    client = stage.client()
    all_texts = texts()
    stage.dice.shuffle(all_texts)
    chosen = all_texts[: stage.many(len(all_texts))]
    said: Counter[str] = Counter()
    async with stage.clients(20):
        for text, where in zip(chosen, itertools.cycle(WHERE), strict=False):
            escaped = text.encode("unicode_escape", "surrogatepass").decode("ascii")
            said[where] += bool(
                await client.enqueue("f.says", {"where": where, "text": escaped}, expect="any")
            )
            await client.enqueue("f.quick", {}, key=text[:500])
    client.drop()
    await _drained(stage)
    again = await stage.sql(RUNS_WRONG, ["f.says", "f.silent"])
    ends = await stage.sql(
        "select state, count(*) as n from bellhand.history where kind = 'f.says' group by 1"
    )
    starts = Counter(
        event["job"]
        for event in read(stage.fleet.journal)
        if event["f"] == "start" and event["kind"] == "f.says"
    )
    stage.figures |= {"said": said.total(), "run_again": len(again)} | {
        f"said_{row['state']}": row["n"] for row in ends
    }
    stage.figures["collections"] = "yes" if collections() else "absent"
    stage.must(
        not again and set(starts.values()) <= {1},
        "run_again_for_its_text",
        [dict(row) for row in again],
    )
    stage.must(sum(row["n"] for row in ends) == said.total(), "not_recorded", said.total())
