"""The language model: typed answers, what goes wrong with them, what they cost."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import asyncio
import json
import socket

import asyncpg
import pytest
from aiohttp import web
from pydantic import BaseModel, Field

from bellhand.clients.errors import BudgetSpent, ServiceError
from bellhand.clients.prices import Budget, cost_microdollars, price_of
from bellhand.clients.services import Services
from bellhand.dev.standins.server import StandIns
from bellhand.outcomes import Snooze
from bellhand.settings_services import OpenAi, Price
from outside import KEYS, _impatient, outside, sections, services, stand_ins, usage
from websites import serving


class Fit(BaseModel):
    """How well a lead fits."""

    category: str
    score: int = Field(ge=0, le=100)
    tags: list[str]


ASK = {"system": "You judge leads.", "user": "Harbour Bakery, Austin: bread since 1921."}


async def test_an_answer_comes_as_its_type_and_its_tokens_are_counted(
    outside: Services, stand_ins: StandIns, conn: asyncpg.Connection
) -> None:
    fit = await outside.llm.parse(Fit, **ASK, max_tokens=500)
    assert isinstance(fit, Fit)
    (asked,) = stand_ins.asked("openai")
    assert asked.headers["Authorization"] == f"Bearer {KEYS['openai']}"
    body = json.loads(asked.body)
    assert body["response_format"]["json_schema"]["strict"] is True
    assert body["max_completion_tokens"] == 500
    assert await outside.llm.parse(Fit, **ASK, max_tokens=500) == fit, "the stand-in is of one mind"
    (row,) = await usage(conn)
    assert (row["operation"], row["calls"], row["failures"]) == ("parse", 2, 0)
    assert row["units_in"] > 10
    assert row["units_out"] > 5
    price = cost_microdollars(Price(input=0.4, output=1.6), row["units_in"] // 2, 0, row["units_out"] // 2)  # fmt: skip
    assert row["cost_microdollars"] == 2 * price


@pytest.mark.parametrize(
    ("fault", "code", "retryable", "tries"),
    [
        ("length", "truncated", False, 1),
        # Paid for: it is not asked again before the job's own retry.
        ("no_end", "truncated", True, 1),
        ("refusal", "refused", False, 1),
        ("misfit", "bad_answer", True, 1),
        ("too_long", "too_long", False, 1),
        ("error", "unavailable", True, 3),
        ("unavailable", "unavailable", True, 3),
        ("truncated", "bad_answer", True, 3),
        ("malformed", "bad_answer", True, 3),
        ("reset", "connect", True, 3),
        ("moved", "bad_answer", False, 1),
    ],
)
async def test_an_answer_that_is_none_is_told_from_one_that_is(
    outside: Services, stand_ins: StandIns, fault: str, code: str, retryable: bool, tries: int
) -> None:
    stand_ins.faults.set("openai", fault, times=9)
    with pytest.raises(ServiceError) as caught:
        await outside.llm.parse(Fit, **ASK, max_tokens=500)
    assert (caught.value.code, caught.value.retryable) == (code, retryable)
    assert caught.value.service == "openai"
    assert len(stand_ins.asked("openai")) == tries, "the package's own retries are off"


async def test_a_rate_limit_passes_and_a_spent_quota_does_not(
    outside: Services, stand_ins: StandIns
) -> None:
    """Both are 429; only the error's code tells them apart."""
    stand_ins.faults.set("openai", "rate", times=2)
    await outside.llm.parse(Fit, **ASK, max_tokens=500)
    stand_ins.faults.set("openai", "quota")
    with pytest.raises(Snooze, match="its quota is spent: You exceeded your current quota"):
        await outside.llm.parse(Fit, **ASK, max_tokens=500)
    assert len(stand_ins.asked("openai")) == 4


async def test_a_refused_key_lets_the_job_wait(outside: Services, stand_ins: StandIns) -> None:
    stand_ins.faults.set("openai", "refused")
    with pytest.raises(Snooze, match="the key is refused"):
        await outside.llm.parse(Fit, **ASK, max_tokens=500)


async def test_a_refused_connection_is_no_timeout(dsn: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        async with services(dsn, sections(taken.getsockname()[1], retries_max=0)) as outside:
            with pytest.raises(ServiceError) as caught:
                await outside.llm.parse(Fit, **ASK, max_tokens=500)
    assert (caught.value.code, caught.value.what) == ("connect", "no connection")


async def test_a_slow_answer_is_a_timeout(dsn: str, stand_ins: StandIns) -> None:
    stand_ins.faults.set("openai", "slow", seconds=5)
    settings = sections(stand_ins.port, seconds_max=0.3, retries_max=0)
    async with services(dsn, settings) as outside:
        with pytest.raises(ServiceError) as caught:
            await outside.llm.parse(Fit, **ASK, max_tokens=500)
    assert caught.value.code == "timeout"


async def test_a_misfit_is_told_without_what_the_model_said(outside: Services, stand_ins: StandIns) -> None:  # fmt: skip
    stand_ins.faults.set("openai", "misfit")
    with pytest.raises(ServiceError, match="category: Field required; score: Field required"):
        await outside.llm.parse(Fit, **ASK, max_tokens=500)


@pytest.mark.parametrize("body", [{}, [], {"choices": []}, {"choices": [None]}, {"choices": "x"}])
async def test_an_answer_of_another_shape_is_no_crash(dsn: str, body: object) -> None:
    async def odd(_: web.Request) -> web.Response:
        return web.json_response(body)

    async with (
        serving(("/v1/chat/completions", odd)) as port,
        services(dsn, sections(port, retries_max=0)) as outside,
    ):
        with pytest.raises(ServiceError) as caught:
            await outside.llm.parse(Fit, **ASK, max_tokens=500)
    assert caught.value.code in ("truncated", "bad_answer")


# Budgets


async def test_a_budget_is_never_overdrawn_by_calls_side_by_side(
    outside: Services, stand_ins: StandIns
) -> None:
    one = Budget(1.0)
    await outside.llm.parse(Fit, **ASK, max_tokens=500, budget=one)
    assert one.held == pytest.approx(0)
    budget = Budget(3 * one.spent + 0.002)  # for three, and what the third might have cost at most
    calls = [outside.llm.parse(Fit, **ASK, max_tokens=500, budget=budget) for _ in range(8)]
    ended = await asyncio.gather(*calls, return_exceptions=True)
    refused = [end for end in ended if isinstance(end, BudgetSpent)]
    assert refused
    assert len(refused) < 8
    assert "left" in str(refused[0])
    assert budget.spent == pytest.approx((8 - len(refused)) * one.spent)
    assert budget.spent <= budget.cost_max
    assert budget.held == pytest.approx(0)
    assert len(stand_ins.asked("openai")) == 1 + 8 - len(refused), "what is refused is not sent"


async def test_a_failed_call_gives_back_what_was_set_aside(
    outside: Services, stand_ins: StandIns
) -> None:
    budget = Budget(1.0)
    stand_ins.faults.set("openai", "error", times=3)
    with pytest.raises(ServiceError):
        await outside.llm.parse(Fit, **ASK, max_tokens=500, budget=budget)
    assert (budget.held, budget.spent) == (0, 0)
    stand_ins.faults.set("openai", "misfit")
    with pytest.raises(ServiceError):
        await outside.llm.parse(Fit, **ASK, max_tokens=500, budget=budget)
    assert budget.spent > 0, "of no use, and paid for"


async def test_a_budget_needs_a_price_and_without_one_the_cost_is_not_known(
    dsn: str, stand_ins: StandIns, conn: asyncpg.Connection
) -> None:
    settings = sections(stand_ins.port)
    settings["openai"]["model"] = "somebody-elses"
    async with services(dsn, settings) as outside:
        with pytest.raises(ServiceError, match=r"services\.openai\.prices\.somebody-elses"):
            await outside.llm.parse(Fit, **ASK, max_tokens=500, budget=Budget(1.0))
        await outside.llm.parse(Fit, **ASK, max_tokens=500)  # without one it works
        await outside.llm.embed(["a text"])
        parsed, embedded = sorted(await usage(conn), key=lambda row: row["operation"], reverse=True)
        assert (parsed["cost_microdollars"], parsed["unpriced_calls"]) == (None, 1)
        assert parsed["units_in"] > 0, "tokens are counted all the same"
        assert (embedded["cost_microdollars"] or 0, embedded["unpriced_calls"]) == (0, 0)
    settings["openai"]["prices"] = {"somebody-elses": {"input": 100, "output": 100}}
    async with services(dsn, settings) as outside:
        with pytest.raises(BudgetSpent):
            await outside.llm.parse(Fit, **ASK, max_tokens=500, budget=Budget(0.05))
        await outside.llm.parse(Fit, **ASK, max_tokens=500)
    parsed = next(row for row in await usage(conn) if row["operation"] == "parse")
    assert (parsed["calls"], parsed["unpriced_calls"]) == (2, 1)
    assert parsed["cost_microdollars"] > 0, "that of the call whose price is known"


def test_prices_are_found_under_dated_names_and_our_own_come_first() -> None:
    known = OpenAi().prices
    mini = price_of("gpt-4o-mini-2024-07-18", known)
    assert mini == price_of("gpt-4o-mini", known)
    assert mini != price_of("gpt-4o", known)
    assert price_of("gpt-4o-mini-audio", known) is None
    assert all(price.as_of and price.source for price in known.values()), "each says since when"
    mine = Price(input=1, cached_input=0.5, output=2)
    own = OpenAi(prices={"gpt-4o-mini": mine}).prices
    assert price_of("gpt-4o-mini", own) == mine
    assert price_of("gpt-4o", own) == price_of("gpt-4o", known)
    assert cost_microdollars(mine, 1000, 400, 10) == 600 + 200 + 20
    assert cost_microdollars(mine, 10, 4000, 0) == 5, "no more is cached than went in"


# Embeddings


async def test_each_text_has_its_vector_in_order_however_many_there_are(
    outside: Services, stand_ins: StandIns, conn: asyncpg.Connection
) -> None:
    texts = [f"business number {n}" for n in range(300)]
    vectors = await outside.llm.embed(texts)
    assert len(vectors) == 300
    assert vectors[299] == (await outside.llm.embed(["business number 299"]))[0]
    assert len(stand_ins.asked("openai")) == 3
    assert await outside.llm.embed([]) == []
    (row,) = await usage(conn)
    assert (row["operation"], row["calls"], row["units_out"]) == ("embed", 3, 0)
    assert row["cost_microdollars"] > 0


async def test_vectors_of_like_texts_lie_close_in_the_stand_in(outside: Services) -> None:
    one, like, other = await outside.llm.embed(
        ["Harbour Bakery", "The Harbour Bakery", "tax law office"]
    )
    near = sum(a * b for a, b in zip(one, like, strict=True))
    far = sum(a * b for a, b in zip(one, other, strict=True))
    assert near > 0.6 > far


@pytest.mark.parametrize("rows", [[], [{"object": "embedding", "index": 1, "embedding": [0.5]}]])
async def test_vectors_that_do_not_fit_the_texts_are_refused(dsn: str, rows: list[object]) -> None:
    async def odd(_: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": rows, "model": "m"})

    async with (
        serving(("/v1/embeddings", odd)) as port,
        services(dsn, sections(port, retries_max=0)) as outside,
    ):
        with pytest.raises(ServiceError) as caught:
            await outside.llm.embed(["a"])
    assert caught.value.code == "bad_answer"
