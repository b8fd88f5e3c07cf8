"""The kinds of the matching family: run the stages over a project, learn from what people said."""

import json
from importlib.util import find_spec
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bellhand.errors import Problem
from bellhand.job import Job
from bellhand.kinds import job_kind
from bellhand.outcomes import Cancelled, Failed

from .ai import Ai
from .chunks import in_chunks
from .fuzzy import match_identifiers, match_texts
from .process import CompareError, comparing
from .run import PAGE_ITEMS, Run, fetch, item_row
from .websearch import WebSearch

# Not imported here: only the comparing process needs the memory they take.
for _library in ("numpy", "scipy"):
    if find_spec(_library) is None:
        raise Problem(
            "the matching family needs libraries that are not installed",
            why=f"{_library} is missing",
            fix="pip install 'bellhand[matching]'",
        )

Stage = Literal["identifiers", "fuzzy", "ai", "web-search"]
STAGES_OF: dict[str, tuple[Stage, ...]] = {
    "ai": ("identifiers", "fuzzy", "ai"),
    "web-search": ("identifiers", "fuzzy", "web-search"),
}
# How apps in JavaScript call the same things (seed 001).
_ALIASES = {"projectId": "project_id", "jobType": "job_type"}


def _with_aliases(schema: dict[str, Any]) -> None:
    """Let the check at the INSERT know the other names too."""
    properties = schema["properties"]
    for alias, name in _ALIASES.items():
        properties[alias] = {k: v for k, v in properties[name].items() if k != "examples"}
    schema["required"] = [name for name in schema.get("required", []) if name != "project_id"]


class RunMatching(BaseModel):
    """Which project, how far to go, and how much at once.

    Without `stages` the job type says: identifiers and fuzzy, then ai or web-search. Sources whose
    likeliest candidate is below `accept_confidence` but not below `ask_confidence` go to the model. With `embeddings` the
    stage fuzzy also looks at what is near by the vectors of titles.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra=_with_aliases)

    project_id: str = Field(min_length=1, max_length=200, examples=["spring-catalogue"])
    job_type: Literal["ai", "web-search"] = "ai"
    stages: list[Stage] | None = Field(default=None, min_length=1, max_length=4)
    config: dict[str, Any] | None = None
    accept_confidence: float = Field(default=0.3, gt=0, le=1)
    ask_confidence: float = Field(default=0.01, ge=0, le=1)
    ai_confidence: float = Field(default=0.5, ge=0, le=1)
    web_confidence: float = Field(default=0.5, ge=0, le=1)
    ai_chunk_items: int = Field(default=10, ge=1, le=200)
    web_chunk_items: int = Field(default=5, ge=1, le=200)
    items_per_question: int = Field(default=5, ge=1, le=50)
    candidates_per_item: int = Field(default=5, ge=1, le=5)
    chunks_at_once: int = Field(default=2, ge=1, le=32)
    chunk_timeout_seconds: float = Field(default=300, gt=0, le=3600)
    ai_dollars_max: float | None = Field(default=None, ge=0)
    embeddings: bool = False
    embedding_dollars_max: float | None = Field(default=None, ge=0)
    memory_bytes_max: int = Field(default=6_000_000_000, ge=500_000_000, le=64_000_000_000)

    @model_validator(mode="before")
    @classmethod
    def _by_any_name(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        named = {_ALIASES.get(name, name): value for name, value in given.items()}
        config = named.get("config")
        if isinstance(config, dict) and "jobType" in config:
            named.setdefault("job_type", config["jobType"])
        return named

    @model_validator(mode="after")
    def _candidates_first(self) -> Self:
        if "ai" in self.wanted and "fuzzy" not in self.wanted:
            raise ValueError("the stage ai asks about the candidates of the stage fuzzy: name both")
        if self.embeddings and "fuzzy" not in self.wanted:
            raise ValueError(
                "embeddings find candidates for the stage fuzzy: name it, or leave them out"
            )
        return self

    @property
    def wanted(self) -> tuple[Stage, ...]:
        """The stages in their order, each once."""
        asked = self.stages or STAGES_OF[self.job_type]
        order: tuple[Stage, ...] = ("identifiers", "fuzzy", "ai", "web-search")
        return tuple(stage for stage in order if stage in asked)


class Project(BaseModel):
    """Which project."""

    model_config = ConfigDict(extra="forbid")

    project_id: str = Field(min_length=1, max_length=200, examples=["spring-catalogue"])
    memory_bytes_max: int = Field(default=6_000_000_000, ge=500_000_000, le=64_000_000_000)


class DuplicateItems(ValueError):
    """Items that have the same sku as another of their side."""


@job_kind(
    "matching.run", lane="matching", attempts_max=3, timeout_seconds=None, side_effects="none"
)
async def run_matching(args: RunMatching, job: Job) -> dict[str, Any]:
    """Find partners in the catalogue for all items of a project that have none, stage by stage."""
    project = await _project(args.project_id, job)
    for side, rows in (("source", project["sources"]), ("catalogue", project["catalogue"])):
        if not rows:
            raise Failed(f"project {args.project_id} has no items on side {side}: insert some into bellhand_matching.items")  # fmt: skip
    run = await Run.begin(job, args.project_id, args.job_type, args.model_dump(mode="json"))
    await _tell_of_duplicates(run)
    for stage in args.wanted:
        if await run.waiting():
            await _run_stage(stage, run, args, project)
    counts = {row["how"]: row["items"] for row in await run.fetch("run_counts")}
    (row,) = await run.fetch("run")
    result = {
        "run_id": run.id, "total_items": row["total_items"], "matches_found": row["matches_found"],
        "failed_items": row["failed_items"], "items": counts,
    }  # fmt: skip
    if row["embeddings"] is not None:
        result["embeddings"] = json.loads(row["embeddings"])
    async with job.transaction(result) as conn:
        await run.finish(conn)
    return result


async def _run_stage(stage: Stage, run: Run, args: RunMatching, project: Any) -> None:
    last = stage == args.wanted[-1]
    if stage == "identifiers":
        await match_identifiers(run, last=last)
    elif stage == "fuzzy":
        await match_texts(
            run, last=last, verifier=project["verifier"], exclusive=project["one_to_one"],
            accept=args.accept_confidence, memory_bytes_max=args.memory_bytes_max, embeddings=args.embeddings,
            embedding_dollars_max=args.embedding_dollars_max,
        )  # fmt: skip
    elif stage == "ai":
        asking = Ai(
            run, candidates=args.candidates_per_item, per_question=args.items_per_question,
            accept=args.ai_confidence, dollars_max=args.ai_dollars_max,
        )  # fmt: skip
        await in_chunks(
            run, 3, asking.chunk, last=last, size=args.ai_chunk_items, at_once=args.chunks_at_once,
            seconds=args.chunk_timeout_seconds, least=args.ask_confidence,
        )  # fmt: skip
    else:
        searching = WebSearch(run, accept=args.web_confidence)
        try:
            await in_chunks(
                run, 4, searching.chunk, last=last, size=args.web_chunk_items, at_once=args.chunks_at_once,
                seconds=args.chunk_timeout_seconds, least=None,
            )  # fmt: skip
        finally:
            await searching.close()


async def _tell_of_duplicates(run: Run) -> None:
    """A step that fails, so that the job ends partial and says which items were left out."""

    async def check(_: str) -> None:
        rows = await run.fetch("items_in_the_way")
        if rows:
            raise DuplicateItems(
                "; ".join(f"item {row['item_id']}: {row['error']}" for row in rows)
            )

    await run.job.each(["check items"], check)


@job_kind(
    "matching.learn", lane="matching", attempts_max=3, timeout_seconds=3600, side_effects="none"
)
async def learn(args: Project, job: Job) -> dict[str, Any]:
    """Make a project's own verifier: the shipped one, corrected by every match that was accepted or rejected."""
    await _project(args.project_id, job)
    reviewed = await fetch(job, "learnable", args.project_id)
    same = sum(row["same"] for row in reviewed)
    if not same:
        raise Cancelled(
            f"project {args.project_id} has no accepted match among {len(reviewed)} reviewed: there is nothing to learn from"
        )
    async with comparing(args.memory_bytes_max) as process:
        for side in ("source", "catalogue"):
            last = 0
            while rows := await fetch(
                job, "project_items", args.project_id, side, last, PAGE_ITEMS
            ):
                last = rows[-1]["id"]
                await process.ask("load", side=side, items=[item_row(row) for row in rows])
        pairs = [(row["source_id"], row["target_id"], row["same"]) for row in reviewed]
        try:
            verifier: str = await process.ask("learn", pairs=pairs)
        except CompareError as error:
            raise Failed(str(error)) from error
    json.loads(verifier)
    await fetch(job, "save_verifier", args.project_id, verifier, len(reviewed))
    return {"project_id": args.project_id, "accepted": same, "rejected": len(reviewed) - same}


async def _project(project_id: str, job: Job) -> Any:
    rows = await fetch(job, "project", project_id)
    if not rows:
        raise Failed(f"there is no project {project_id} in bellhand_matching.projects")
    return rows[0]
