"""What customers are expected to spend: their groups to the model, its word back into their figures."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import sys
from asyncio.subprocess import PIPE
from typing import Any

from bellhand.job import Job

from .report import EXPECTED_WEEKS
from .sending import over_all

CUSTOMERS_MIN = 200  # of fewer nothing can be learned
GROUPS_MAX = 200_000
MODEL_SECONDS_MAX = 300
ERROR_CHARS_MAX = 300
# Enough to find Python's modules; nothing that could open the database.
PASSED_ON = ("PATH", "LANG", "HOME", "TMPDIR", "LD_LIBRARY_PATH")


async def expect(job: Job) -> str | None:
    """Write what each customer is expected to spend in the next EXPECTED_WEEKS; returns why not, if not."""
    if importlib.util.find_spec("scipy") is None:
        return "needs scipy, which is not installed: pip install 'bellhand[analytics]'"
    rows = await over_all(job, "lifetime_groups", GROUPS_MAX + 1)
    if sum(row["customers"] for row in rows) < CUSTOMERS_MIN:
        return f"needs {CUSTOMERS_MIN} customers to learn from"
    if len(rows) > GROUPS_MAX:
        return f"customers differ in more than {GROUPS_MAX} ways"
    groups = [
        (row["repeats"], row["last_week"], row["age_weeks"], row["customers"]) for row in rows
    ]
    try:
        orders = await _asked({"groups": groups, "weeks": EXPECTED_WEEKS})
    except ModelError as error:
        return str(error)
    columns = [list(column) for column in zip(*groups, strict=True)][:3]
    await over_all(job, "store_expected", rows[0]["as_of"], *columns, orders)
    return None


class ModelError(Exception):
    """The model could not be fitted, and why."""


async def _asked(question: dict[str, Any]) -> list[float | None]:
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    environment |= {"PYTHONPATH": os.pathsep.join(path or os.curdir for path in sys.path), "OPENBLAS_NUM_THREADS": "1"}  # fmt: skip
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"{__package__}.lifetime", env=environment, start_new_session=True,
        stdin=PIPE, stdout=PIPE, stderr=PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(MODEL_SECONDS_MAX):
            said, complained = await child.communicate(json.dumps(question).encode())
    except TimeoutError as error:
        raise ModelError(f"the model was not ready within {MODEL_SECONDS_MAX} s") from error
    finally:
        if child.returncode is None:
            child.kill()
            await asyncio.shield(child.wait())
    if child.returncode:
        raise ModelError(f"the model failed: {complained.decode(errors='replace').strip()[-ERROR_CHARS_MAX:]}")  # fmt: skip
    answer: list[float | None] = json.loads(said)
    return answer
