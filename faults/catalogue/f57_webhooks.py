"""F57: what receives the webhooks refuses, hangs, cuts off and loses its answers, while daemons are killed."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from contextlib import suppress

from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from ..fault import fault
from ..stage import Stage
from ..witness import Witness
from .f01_killed import kills, longer

JOBS_PER_SECOND = 8.0
GIVE_UP_SECONDS = 3.0  # how long a daemon waits for an answer
HANG_SECONDS = 2 * GIVE_UP_SECONDS
# What comes of a message, and how often; `lost` was taken, and its sender does not hear of it.
ANSWERS = {"taken": 55, "503": 12, "500": 6, "429": 5, "cut": 7, "lost": 9, "hang": 3, "hang after the headers": 3}  # fmt: skip
CALM_SECONDS = 10.0  # until what was under way is over, and the receiver is not left alone any more
# Those that failed several times would wait for minutes; an operator who knows that the receiver is well does not.
HURRY = "select bellhand.run_now(id) from bellhand.jobs where kind = 'notify.webhook' and run_at > bellhand.now()"
SOON = {"Retry-After": "1"}


class Receiver:
    """Somebody else's endpoint: writes down what it got and what it answered; `well` once it is healed."""

    def __init__(self, said: Witness, dice: random.Random) -> None:
        self.said = said
        self.dice = dice
        self.well = False
        self.judge: Webhook | None = None
        self.answers: Counter[str] = Counter()

    async def take(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        signed = False
        with suppress(WebhookVerificationError):
            assert self.judge is not None
            self.judge.verify(body, dict(request.headers))
            signed = True
        how = "taken" if self.well else self.dice.choices([*ANSWERS], [*ANSWERS.values()])[0]
        about = json.loads(body)["data"]
        self.answers[how] += 1
        self.said.saw(
            "hook", id=request.headers["webhook-id"], job=about["id"], state=about["state"], signed=signed, answer=how,
        )  # fmt: skip
        return await self._answer(request, how)

    async def _answer(self, request: web.Request, how: str) -> web.StreamResponse:
        if how in ("cut", "lost") and request.transport is not None:
            request.transport.abort()
        if how == "hang after the headers":
            await web.StreamResponse().prepare(request)
        if how.startswith("hang"):
            await asyncio.sleep(HANG_SECONDS)
        if how.isdigit():
            return web.Response(status=int(how), headers=SOON)
        return web.Response(status=204)


@fault(
    "F57", "what receives webhooks refuses, hangs, cuts off and loses answers, and daemons are killed",
    seconds=45, drain_seconds=150,
)  # fmt: skip
async def webhooks(stage: Stage) -> None:
    stage.settings |= {"told": True, "unwitnessed": ["notify.webhook"]}
    said = Witness(stage.said.path, "hook")
    stage.at_end.callback(said.close)
    receiver = Receiver(said, stage.dice)
    port = await _serving(stage, receiver)
    await stage.daemons(
        3, modules=["bellhand.notify"],
        notify={"allow_networks": ["127.0.0.0/8"], "ports": [port], "seconds_max": GIVE_UP_SECONDS},
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}/hook"
    secret = await stage.value("select bellhand.set_channel('shop', 'webhook', $1)", address)
    receiver.judge = Webhook(secret)
    await stage.sql("select bellhand.subscribe('ends', 'shop', '{completed, failed, cancelled}', 'f.*')")  # fmt: skip
    async with stage.clients(JOBS_PER_SECOND, choose=longer):
        await kills(stage, stage.many(20), (1.5, 2.5))
    receiver.well = True
    await asyncio.sleep(CALM_SECONDS)
    await stage.sql(HURRY)
    stage.figures |= {f"answers_{how.replace(' ', '_')}": n for how, n in receiver.answers.items()}


async def _serving(stage: Stage, receiver: Receiver) -> int:
    """The receiver's port; it is there until the daemons are gone."""
    app = web.Application()
    app.router.add_post("/hook", receiver.take)
    runner = web.AppRunner(app, shutdown_timeout=0.5)
    await runner.setup()
    stage.at_end.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return int(runner.addresses[0][1])
