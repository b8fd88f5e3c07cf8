"""A stand-in of OpenAI's API: chat completions that fit their schema, and embeddings in which like texts lie close."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import random
import re
import struct
from typing import Any

from aiohttp import web

from .faults import Fault

DIMENSIONS = 64
DEPTH_MAX = 12
ITEMS_MAX = 3
CONTEXT_TOKENS_MAX = 100_000
MADE_AT = 1_700_000_000
WORD = re.compile(r"[\w'-]+")


async def chat(request: web.Request, fault: Fault | None) -> web.Response:
    """A completion; with a schema it fits, and the same question has the same answer."""
    refusal = _key_refused(request)
    if refusal is not None:
        return refusal
    try:
        asked = await request.json()
        words = "\n".join(str(message["content"]) for message in asked["messages"])
        model = str(asked["model"])
    except (ValueError, KeyError, TypeError):
        return _error(
            400, "We could not parse the JSON body of your request.", "invalid_request_error"
        )
    tokens_in = tokens(words)
    if tokens_in > CONTEXT_TOKENS_MAX:
        return failed(Fault("too_long"))
    text = _completion(asked, words)
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
    end: str | None = "stop"
    limit = asked.get("max_completion_tokens") or asked.get("max_tokens")
    if fault and fault.name == "refusal":
        message |= {"content": None, "refusal": "I cannot help with that."}
    if fault and fault.name == "misfit":
        message["content"] = "{}"
    if (fault and fault.name == "length") or (limit and tokens(text) > limit):
        message["content"], end = text[: len(text) // 2], "length"
    if fault and fault.name == "no_end":
        message["content"], end = text[: len(text) // 2], None
    tokens_out = tokens(str(message["content"] or message["refusal"]))
    return web.json_response(
        {
            "id": "chatcmpl-" + hashlib.sha256(words.encode()).hexdigest()[:24],
            "object": "chat.completion",
            "created": MADE_AT,
            "model": model,
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": end}],
            "usage": {
                "prompt_tokens": tokens_in,
                "completion_tokens": tokens_out,
                "total_tokens": tokens_in + tokens_out,
            },
        }
    )


async def embeddings(request: web.Request) -> web.Response:
    """A vector a text."""
    refusal = _key_refused(request)
    if refusal is not None:
        return refusal
    try:
        asked = await request.json()
        texts = asked["input"]
        texts = [texts] if isinstance(texts, str) else [str(text) for text in texts]
        size = int(asked.get("dimensions") or DIMENSIONS)
    except (ValueError, KeyError, TypeError):
        return _error(400, "'input' is a required property", "invalid_request_error")
    rows = []
    for n, text in enumerate(texts):
        vector: Any = vector_of(text, size)
        if asked.get("encoding_format") == "base64":
            vector = base64.b64encode(struct.pack(f"<{size}f", *vector)).decode()
        rows.append({"object": "embedding", "index": n, "embedding": vector})
    used = sum(tokens(text) for text in texts)
    usage = {"prompt_tokens": used, "total_tokens": used}
    return web.json_response(
        {"object": "list", "data": rows, "model": asked["model"], "usage": usage}
    )


def failed(fault: Fault) -> web.Response:
    """An error, as OpenAI words it."""
    status, message, kind, code = {
        "rate": (429, "Rate limit reached for requests", "requests", "rate_limit_exceeded"),
        "quota": (429, "You exceeded your current quota, please check your plan and billing details.", "insufficient_quota", "insufficient_quota"),
        "refused": (401, "Incorrect API key provided.", "invalid_request_error", "invalid_api_key"),
        "error": (500, "The server had an error while processing your request.", "server_error", None),
        "unavailable": (503, "The engine is currently overloaded, please try again later.", "server_error", None),
        "too_long": (400, "This model's maximum context length is exceeded by your messages.", "invalid_request_error", "context_length_exceeded"),
    }[fault.name]  # fmt: skip
    answer = _error(status, message, kind, code)
    if fault.seconds:
        answer.headers["Retry-After"] = f"{fault.seconds:g}"
    return answer


def tokens(text: str) -> int:
    """About as many as a tokenizer makes of it."""
    return math.ceil(len(text.encode("utf-8", "replace")) / 4)


def vector_of(text: str, size: int = DIMENSIONS) -> list[float]:
    """A unit vector by the text's groups of three letters: texts that share many lie close."""
    vector = [0.0] * size
    padded = f"  {' '.join(text.lower().split())} "
    for n in range(len(padded) - 2):
        digest = hashlib.sha256(padded[n : n + 3].encode("utf-8", "replace")).digest()
        vector[int.from_bytes(digest[:4]) % size] += 1.0 if digest[4] & 1 else -1.0
    length = math.sqrt(sum(x * x for x in vector)) or 1.0
    return [x / length for x in vector]


def _key_refused(request: web.Request) -> web.Response | None:
    key = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
    return failed(Fault("refused")) if not key or key.startswith("bad") else None


def _error(status: int, message: str, kind: str, code: str | None = None) -> web.Response:
    error = {"message": message, "type": kind, "param": None, "code": code}
    return web.json_response({"error": error}, status=status)


def _completion(asked: dict[str, Any], words: str) -> str:
    chance = random.Random(hashlib.sha256(words.encode("utf-8", "replace")).digest())
    spoken = WORD.findall(str(asked["messages"][-1]["content"]))[:200] or ["nothing"]
    wanted = asked.get("response_format") or {}
    schema = (wanted.get("json_schema") or {}).get("schema")
    if schema is None:
        return " ".join(chance.choices(spoken, k=12))
    return json.dumps(fitting(schema, schema, chance, spoken))


def fitting(
    schema: dict[str, Any],
    whole: dict[str, Any],
    chance: random.Random,
    words: list[str],
    depth: int = 0,
) -> Any:
    """A value that fits the JSON Schema, made of the words of the question."""

    def inner(one: dict[str, Any]) -> Any:
        return fitting(one, whole, chance, words, depth + 1)

    if "$ref" in schema:
        target: Any = whole
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return inner(target)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return chance.choice(schema["enum"])
    for union in ("anyOf", "oneOf"):
        if union in schema:
            # The way out of a type that holds itself is the simplest of its shapes.
            plain = [one for one in schema[union] if one.get("type") == "null"]
            return inner(plain[0] if plain and depth > DEPTH_MAX else chance.choice(schema[union]))
    if "allOf" in schema:
        return inner(schema["allOf"][0])
    kind = schema.get("type", "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {name: inner(one) for name, one in schema.get("properties", {}).items()}
    if kind == "array":
        least, most = schema.get("minItems", 0), schema.get("maxItems", ITEMS_MAX)
        count = least if depth > DEPTH_MAX else chance.randint(least, max(least, min(most, least + ITEMS_MAX)))  # fmt: skip
        return [inner(schema.get("items", {})) for _ in range(count)]
    return _scalar(kind, schema, chance, words)


def _scalar(kind: str, schema: dict[str, Any], chance: random.Random, words: list[str]) -> Any:
    if kind in ("integer", "number"):
        low = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
        high = schema.get("maximum", schema.get("exclusiveMaximum", max(low, 100) + 1) - 1)
        return (
            chance.randint(math.ceil(low), max(math.ceil(low), math.floor(high)))
            if kind == "integer"
            else round(chance.uniform(low, max(low, high)), 3)
        )
    if kind == "boolean":
        return chance.random() < 0.5
    if kind == "null":
        return None
    text = " ".join(chance.choices(words, k=chance.randint(3, 10)))
    least, most = schema.get("minLength", 0), schema.get("maxLength", 200)
    return text.ljust(least, ".")[:most]
