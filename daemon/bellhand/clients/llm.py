"""A language model behind OpenAI's API, through the `openai` package: typed answers, vectors, and what they cost.

What is sent and read goes through openai_wire.py, which is imported when first needed: the package takes half a second and
tens of megabytes.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar, cast

import structlog
from pydantic import BaseModel

from ..settings_services import OpenAi as OpenAiSettings
from .answers import body_of, refused, text
from .errors import ServiceError
from .prices import Budget, cost_microdollars, price_of
from .service import Service
from .usage import Used
from .wire import Answer, Request

if TYPE_CHECKING:
    from .openai_wire import OpenAiWire

log = structlog.get_logger()
T = TypeVar("T", bound=BaseModel)

NAME = "openai"
TEXTS_PER_CALL_MAX = 256
OPERATIONS = {"/chat/completions": "parse", "/embeddings": "embed"}
OVERHEAD_TOKENS = 100  # of a question's frame: roles, marks, the schema's name
QUOTA_CODES = ("insufficient_quota", "billing_hard_limit_reached", "billing_not_active")

# What the requests of the call that runs here have used.
_bill: ContextVar[list[Used] | None] = ContextVar("bill", default=None)


class Llm:
    """Typed answers and vectors; see Service.ask for what they raise."""

    def __init__(self, service: Service, settings: OpenAiSettings) -> None:
        self.service = service
        self._settings = settings
        self._unpriced: set[str] = set()
        self._opening = asyncio.Lock()
        self._wire: OpenAiWire | None = None

    @property
    def model(self) -> str:
        """The model that answers."""
        return self._settings.model

    @property
    def embedding_model(self) -> str:
        """The model that makes vectors."""
        return self._settings.embedding_model

    def take(self, settings: OpenAiSettings) -> None:
        """Ask as these settings say from now on; what is under way ends as it began."""
        if settings.base_url != self._settings.base_url:
            self._wire = None  # it holds no connection: requests leave by our Service
        self._settings = settings

    async def close(self) -> None:
        """Close what the package holds open."""
        if self._wire is not None:
            await self._wire.close()
        await self.service.close()

    async def parse(
        self,
        model: type[T],
        *,
        system: str,
        user: str,
        max_tokens: int,
        budget: Budget | None = None,
    ) -> T:
        """An answer of the given type; at most `max_tokens` long, at most as dear as `budget` allows.

        Raises ServiceError with the codes of services and `refused` (the model declines), `truncated` (the answer was cut:
        give more max_tokens), `too_long` (the question is), `bad_answer` (it does not fit the type), `no_price` (a budget
        needs a price); BudgetSpent before anything is sent; Snooze where the job has to wait.
        """
        name, question = self._settings.model, system + user + json.dumps(model.model_json_schema())
        with self._within(budget, name, question, max_tokens):
            wire = await self._open()
            return await wire.parse(name, model, system, user, max_tokens)

    async def embed(
        self, texts: Sequence[str], *, model: str | None = None, budget: Budget | None = None
    ) -> list[list[float]]:
        """A vector for each text, in their order; of the model of the settings unless one is named, together at most as
        dear as `budget` allows.

        Raises ServiceError with the codes of services and `bad_answer` (the vectors do not fit the texts), `no_price`;
        BudgetSpent before anything is sent; Snooze where the job has to wait.
        """
        name = model or self._settings.embedding_model
        vectors: list[list[float]] = []
        with self._within(budget, name, "".join(texts), 0):
            wire = await self._open()
            for start in range(0, len(texts), TEXTS_PER_CALL_MAX):
                vectors += await wire.embed(name, list(texts[start : start + TEXTS_PER_CALL_MAX]))
        return vectors

    @contextmanager
    def _within(self, budget: Budget | None, name: str, question: str, max_tokens: int) -> Iterator[None]:  # fmt: skip
        """Hold what the calls inside cost at most, and settle what they did cost."""
        held = self._hold(budget, name, question, max_tokens) if budget is not None else 0.0
        bill: list[Used] = []
        token = _bill.set(bill)
        try:
            yield
        finally:
            _bill.reset(token)
            if budget is not None:
                budget.settle(held, sum(used.cost_microdollars for used in bill) / 1e6)

    async def _open(self) -> OpenAiWire:
        async with self._opening:
            if self._wire is None:
                module = await asyncio.to_thread(import_module, ".openai_wire", __package__)
                self._wire = module.OpenAiWire(self._send, self._settings.base_url)
            return cast("OpenAiWire", self._wire)

    async def _send(self, path: str, method: str, headers: dict[str, str], body: bytes) -> Answer:
        """One request of the package's, by our Service."""
        operation = OPERATIONS.get(path, "parse")
        return await self.service.ask(
            operation,
            Request(method, path, {}, headers, body),
            lambda answer: _read(operation, answer),
            lambda answer: self._used(operation, answer),
        )

    def _hold(self, budget: Budget, name: str, question: str, max_tokens: int) -> float:
        """Set aside what the call costs at most, in dollars: no tokenizer makes more tokens than bytes."""
        price = price_of(name, self._settings.prices)
        if price is None:
            why = f"set services.openai.prices.{name}, so that the budget can be kept"
            raise openai_error("no_price", "nobody knows what the model costs", why)
        tokens_in = len(question.encode("utf-8", "replace")) + OVERHEAD_TOKENS
        dollars = cost_microdollars(price, tokens_in, 0, max_tokens) / 1e6
        budget.hold(dollars, NAME)
        return dollars

    def _used(self, operation: str, answer: Answer) -> Used:
        """What an answer says it used; what it does not say was nothing."""
        try:
            body = json.loads(answer.body)
            usage = body["usage"]
            tokens_in = int(usage.get("prompt_tokens") or 0)
            tokens_out = int(usage.get("completion_tokens") or 0)
            details = usage.get("prompt_tokens_details") or {}
            cached = int(details.get("cached_tokens") or 0)
        except (ValueError, TypeError, KeyError, AttributeError):
            return Used()
        own = self._settings
        asked = own.embedding_model if operation == "embed" else own.model
        price = price_of(asked, own.prices) or price_of(str(body.get("model")), own.prices)
        if price is None:
            if asked not in self._unpriced:
                self._unpriced.add(asked)
                log.warning(
                    "price_unknown",
                    model=asked,
                    note=f"its tokens are counted, its cost is not known: set services.openai.prices.{asked}",
                )
            return Used(tokens_in, tokens_out, priced=False)
        cost = cost_microdollars(price, tokens_in, cached, tokens_out)
        used = Used(tokens_in, tokens_out, cost)
        bill = _bill.get()
        if bill is not None:
            bill.append(used)
        return used


def sign(key: str) -> tuple[dict[str, str], dict[str, str]]:
    """The key goes into a header."""
    return {"Authorization": f"Bearer {key}"}, {}


def _read(operation: str, answer: Answer) -> Answer:
    """The answer, if it is a whole one."""
    body = body_of(NAME, answer)
    if answer.status != 200:
        raise _refusal(answer, body)
    if operation == "parse":
        choices = body.get("choices")
        first = choices[0] if isinstance(choices, list) and choices else None
        # A server or a proxy that breaks off in the middle can still close its JSON and its connection in good order.
        if not isinstance(first, dict) or not first.get("finish_reason"):
            raise openai_error("truncated", "the answer has no end", "finish_reason is missing", retryable=True)  # fmt: skip
    elif not isinstance(body.get("data"), list):
        raise openai_error("bad_answer", "the answer holds no vectors", "", retryable=True)
    return answer


def _refusal(answer: Answer, body: dict[str, Any]) -> ServiceError:
    told = body.get("error")
    told = told if isinstance(told, dict) else {"message": told}
    message, code = text(told.get("message")) or "", text(told.get("code")) or ""
    if code == "context_length_exceeded" or (
        answer.status == 400 and "context length" in message.lower()
    ):
        return openai_error("too_long", "the question is too long for the model", message)
    spent = code in QUOTA_CODES or told.get("type") in QUOTA_CODES
    return refused(NAME, answer, message, key_refused=code == "invalid_api_key", quota=spent)


def openai_error(code: str, what: str, why: str, *, retryable: bool = False) -> ServiceError:
    """A ServiceError of this service."""
    return ServiceError(code, what, why, service=NAME, retryable=retryable)
