"""The `openai` package with our transport under it: it speaks the protocol, Service sends.

Its own retries are off, and no request leaves by its HTTP client: rate, breaker, retries, guard, size and accounting are
those of every other service.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import httpx2
import openai
from pydantic import BaseModel, ValidationError

from ..outcomes import Snooze
from .errors import ServiceError
from .llm import openai_error
from .wire import Answer

T = TypeVar("T", bound=BaseModel)
Send = Callable[[str, str, dict[str, str], bytes], Awaitable[Answer]]
SENT_HEADERS = ("content-type", "accept")


class OpenAiWire:
    """Typed requests to one base address; `send` takes path, method, headers and body."""

    def __init__(self, send: Send, base_url: str) -> None:
        http = httpx2.AsyncClient(transport=_Transport(send, base_url), trust_env=False)
        self._client = openai.AsyncOpenAI(
            api_key="of no use: each request is signed with the key of the moment",
            base_url=base_url,
            http_client=http,
            max_retries=0,
        )

    async def close(self) -> None:
        """Close what the package holds open."""
        await self._client.close()

    async def parse(self, name: str, model: type[T], system: str, user: str, max_tokens: int) -> T:
        """The answer of model `name` as `model`; see Llm.parse for the errors."""
        with _explained():
            completion = await self._client.chat.completions.parse(
                model=name,
                messages=[
                    {"role": "system", "content": system},
                    {"role": "user", "content": user},
                ],
                max_completion_tokens=max_tokens,
                response_format=model,
            )
        message = completion.choices[0].message
        if message.refusal:
            raise openai_error("refused", "the model declines to answer", message.refusal[:500])
        if message.parsed is None:
            raise openai_error("bad_answer", "the model's answer is empty", "", retryable=True)
        return message.parsed

    async def embed(self, name: str, texts: list[str]) -> list[list[float]]:
        """The vectors that model `name` gives these texts, in their order."""
        with _explained():
            answer = await self._client.embeddings.create(
                model=name, input=texts, encoding_format="float"
            )
        rows = sorted(answer.data, key=lambda row: row.index)
        if [row.index for row in rows] != list(range(len(texts))):
            why = f"{len(rows)} vectors for {len(texts)} texts"
            raise openai_error(
                "bad_answer", "the vectors do not fit the texts", why, retryable=True
            )
        return [row.embedding for row in rows]


class _Transport(httpx2.AsyncBaseTransport):
    """Hands to `send` what the package wants to send, its own key left out."""

    def __init__(self, send: Send, base_url: str) -> None:
        self._send = send
        self._base = httpx2.URL(base_url).path.rstrip("/")

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path.removeprefix(self._base)
        headers = {name: request.headers[name] for name in SENT_HEADERS if name in request.headers}
        answer = await self._send(path, request.method, headers, await request.aread())
        return httpx2.Response(
            answer.status, headers={"Content-Type": "application/json"}, content=answer.body
        )


@contextmanager
def _explained() -> Iterator[None]:
    """What the package raises, as our own errors; ours may come wrapped, depending on its version."""
    try:
        yield
    except (ServiceError, Snooze) as error:
        raise error.with_traceback(None) from None  # without the twenty frames of the package
    except openai.APIConnectionError as error:
        if isinstance(error.__cause__, ServiceError | Snooze):
            raise error.__cause__.with_traceback(None) from None
        raise openai_error(
            "connect", "no connection", type(error).__name__, retryable=True
        ) from None
    except openai.LengthFinishReasonError:
        why = "it reached max_tokens; allow more of them, or ask for less"
        raise openai_error("truncated", "the answer was cut off", why) from None
    except openai.ContentFilterFinishReasonError:
        raise openai_error(
            "refused", "the model declines to answer", "its content filter"
        ) from None
    except ValidationError as error:
        # Without the values: they are the model's, and errors are shown to many.
        said = "; ".join(
            f"{'.'.join(map(str, one['loc'])) or 'answer'}: {one['msg']}"
            for one in error.errors(include_input=False, include_url=False)[:5]
        )
        what = "the model's answer does not fit its type"
        raise openai_error("bad_answer", what, said, retryable=True) from None
    except openai.OpenAIError as error:
        what = "the answer cannot be used"
        raise openai_error("bad_answer", what, type(error).__name__, retryable=True) from None
