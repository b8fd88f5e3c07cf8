"""Embeddings as an option of matching: candidates that n-grams cannot see, and a service that may fail."""

import json
from typing import Any

import numpy as np
import pytest
from aiohttp import web
from pydantic import ValidationError

import outside
from bellhand.families.matching import embeddings
from bellhand.families.matching.candidates import VECTOR_BLOCK_ROWS, nearest_by_vector
from bellhand.families.matching.compare import Comparer
from bellhand.families.matching.handlers import RunMatching
from daemons import insert
from matching import by_word, items, matcher, matches, project, run, serving
from support import eventually

_impatient = outside._impatient
MODEL = "text-embedding-3-small"
# N-grams are of Latin letters and digits, so they see nothing of the first pair.
SOURCES = ({"sku": "S-1", "title": "Чайник электрический стальной"}, {"sku": "S-2", "title": "Netgear ProSafe 16 Port 10/100 Switch - FS116NA"})  # fmt: skip
CATALOGUE = (
    {"sku": "T-1", "title": "Стальной чайник, электрический"},
    {"sku": "T-2", "title": "Netgear ProSafe FS116 - Switch - 16 ports"},
    {"sku": "T-3", "title": "Духовой шкаф"},
)


async def told(conn: Any) -> dict[str, Any]:
    """What the newest run says of its embeddings."""
    text = await conn.fetchval(
        "select embeddings from bellhand_matching.runs order by id desc limit 1"
    )
    said: dict[str, Any] = json.loads(text)
    return said


async def test_vectors_bring_into_sight_what_n_grams_cannot_see(dsn, conn):
    """Without the option nothing is sent and nobody asks about the pair; with it the model is asked, and takes it."""
    await project(conn, SOURCES, CATALOGUE)
    async with serving() as services, matcher(dsn, services):
        services.judge = by_word("чайник")
        await run(conn, ask_confidence=0)
        assert services.embedded == []
        assert "S-1" not in await matches(conn)
        assert await conn.fetchval("select count(*) from bellhand_matching.candidates c join bellhand_matching.items i on i.id = c.source_id where i.sku = 'S-1'") == 0  # fmt: skip
        job = await run(conn, ask_confidence=0, embeddings=True)
        assert (await matches(conn))["S-1"] == ("T-1", "ai", "proposed")
        evidence = json.loads(await conn.fetchval("select evidence from bellhand_matching.candidates c join bellhand_matching.items t on t.id = c.target_id where t.sku = 'T-1'"))  # fmt: skip
        assert evidence["embedding"] > 0.6
        assert json.loads(job["result"])["embeddings"] == await told(conn)
        assert await told(conn) == {"model": MODEL, "items": 4, "without_vector": 0, "titles_asked": 4, "why": None}  # fmt: skip
        assert not job["partial"]


async def test_a_title_is_paid_for_once(dsn, conn):
    """Vectors are kept by text and model: only a changed title is asked about, and what nobody uses goes."""
    await project(conn, [*SOURCES, {"sku": "S-3", "title": SOURCES[1]["title"]}], CATALOGUE)
    local = {"stages": ["fuzzy"], "accept_confidence": 1, "embeddings": True}
    async with serving() as services, matcher(dsn, services):
        await run(conn, **local)
        assert len(services.embedded) == len(set(services.embedded)) == 5
        await conn.execute("update bellhand_matching.items set brand = 'Bork' where sku = 'S-1'")
        used = "update bellhand_matching.vectors set used_at = used_at - interval '200 days'"
        await conn.execute(used)
        services.embedded.clear()
        await run(conn, **local)
        assert services.embedded == ["Bork Чайник электрический стальной"]
        assert await told(conn) == {"model": MODEL, "items": 6, "without_vector": 0, "titles_asked": 1, "why": None}  # fmt: skip
        assert await conn.fetchval("select count(*) from bellhand_matching.vectors") == 5, (
            "the title as it was is forgotten"
        )


async def test_the_budget_is_kept_and_what_is_known_is_used(dsn, conn, monkeypatch):
    """A budget that is spent halfway ends the asking: the run goes on and says so."""
    monkeypatch.setattr(embeddings, "TITLES_PER_CALL", 1)
    await project(conn, SOURCES, CATALOGUE)
    price = {MODEL: {"input": 1000, "output": 0}}
    async with serving() as services, matcher(dsn, services, openai={"prices": price}):
        job = await run(conn, stages=["fuzzy"], embeddings=True, embedding_dollars_max=0.165)
        said = await told(conn)
        assert said["why"].startswith("budget_spent: ")
        assert 0 < len(services.embedded) < 5
        assert said["without_vector"] == 5 - len(services.embedded)
        spent = await conn.fetchval("select embedding_dollars from bellhand_matching.runs")
        assert 0 < spent <= 0.165
        assert await conn.fetchval("select dollars from bellhand_matching.matching_jobs") == spent
        assert job["attempts"] == 0
        assert (await matches(conn))["S-2"] == ("T-2", "fuzzy", "proposed")


async def zeros(request: web.Request) -> web.Response:
    count = len((await request.json())["input"])
    rows = [{"object": "embedding", "index": n, "embedding": [0.0, 0.0]} for n in range(count)]
    return web.json_response({"object": "list", "data": rows, "model": MODEL})


async def broken(_: web.Request) -> web.Response:
    return web.json_response({"error": {"message": "on fire"}}, status=500)


@pytest.mark.parametrize(("said", "why"), [(broken, "on fire"), (zeros, "3 vectors of 3 are of no use")])  # fmt: skip
async def test_a_service_that_fails_does_not_lose_the_run(dsn, conn, said, why):
    """The stage goes on by n-grams, the result says what went wrong, and the service is not asked again."""
    await project(conn, SOURCES, CATALOGUE)
    async with serving() as services, matcher(dsn, services, retries_max=0):
        services.vectors = said
        job = await run(conn, stages=["fuzzy"], embeddings=True)
        assert why in json.loads(job["result"])["embeddings"]["why"]
        assert (await told(conn))["without_vector"] == 5
        assert len(services.embedded) == 3
        assert (await matches(conn))["S-2"] == ("T-2", "fuzzy", "proposed")
        assert (await items(conn))["S-1"] == ("unmatched", None)


async def test_without_a_key_it_waits(dsn, conn):
    """As in the AI stage: a missing key is told, and burns no attempt."""
    await project(conn, SOURCES, CATALOGUE)
    async with matcher(dsn):
        payload = {"project_id": "p1", "stages": ["fuzzy"], "embeddings": True}
        job = await insert(conn, "matching.run", json.dumps(payload))

        async def waits() -> bool:
            row = await conn.fetchrow("select * from bellhand.all_jobs where id = $1", job)
            return row["state"] == "scheduled" and row["attempts"] == 0 and "waits for a key" in str(row["error"])  # fmt: skip

        await eventually(waits)


def test_embeddings_need_the_stage_that_uses_them():
    with pytest.raises(ValidationError, match="candidates for the stage fuzzy"):
        RunMatching(project_id="p1", stages=["identifiers"], embeddings=True)


def test_the_nearest_are_those_of_the_whole_product():
    """Blocks change nothing, also where the last is not full and fewer targets than asked for are there."""
    chance = np.random.default_rng(7)
    left = chance.standard_normal((VECTOR_BLOCK_ROWS + 3, 8)).astype(np.float32)
    right = chance.standard_normal((40, 8)).astype(np.float32)
    found = nearest_by_vector(left, right, 5)
    whole = left @ right.T
    assert (found.columns == np.argsort(-whole, axis=1)[:, :5]).all()
    assert np.allclose(found.scores, -np.sort(-whole, axis=1)[:, :5])
    assert nearest_by_vector(left, right[:2], 5).columns.shape == (len(left), 2)


def test_vectors_of_another_length_are_left_out():
    """A server that was changed behind the model's name leaves vectors that cannot be compared."""
    comparer = Comparer()
    row = {"sku": None, "brand": None, "price": None, "description": None, "attributes": {}}
    for side in ("source", "catalogue"):
        titles = ["один", "два"]
        comparer.answer({"ask": "load", "side": side, "items": [row | {"id": k, "title": title} for k, title in enumerate(titles)]})  # fmt: skip
        vectors = [embeddings.pack([1.0] * length) for length in (3, 2)]
        encoded = [embeddings.b64encode(vector or b"").decode() for vector in vectors]
        comparer.answer({"ask": "vectors", "side": side, "items": [0, 1], "vectors": encoded})
    assert comparer.answer({"ask": "compare", "verifier": None}) == 1
    assert comparer.close == {(1, 1): pytest.approx(1.0, abs=1e-3)}


def test_what_is_no_vector_is_not_kept():
    for useless in ([], [0.0], [float("nan"), 1.0], [float("inf")], [1.0] * (embeddings.VECTOR_NUMBERS_MAX + 1)):  # fmt: skip
        assert embeddings.pack(useless) is None
    packed = embeddings.pack([3e300, 4e300])
    assert packed is not None
    assert np.allclose(np.frombuffer(packed, "<f2"), [0.6, 0.8], atol=1e-3)
