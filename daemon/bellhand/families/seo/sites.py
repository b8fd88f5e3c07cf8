"""Sites by the names that people and apps have for them: the number of the row, or the key that an app gave it."""

from typing import Annotated

import asyncpg
from pydantic import Field

from bellhand.outcomes import Failed
from bellhand.sql import query

from .frontier import STATEMENT_SECONDS

ID_MAX = 2**63 - 1
SiteName = Annotated[int, Field(ge=1)] | Annotated[str, Field(min_length=1, max_length=200)]


async def site_id_of(conn: asyncpg.Connection, name: int | str) -> int:
    """The id of the site with this name: of a text the key first, for an app's own ids may be digits. Raises Failed if there is none."""
    if isinstance(name, int):
        return name
    found: int | None = await conn.fetchval(_query("site_by_key"), name, timeout=STATEMENT_SECONDS)
    if found is not None:
        return found
    if name.isascii() and name.isdigit() and 0 < int(name) <= ID_MAX:
        return int(name)
    raise Failed(
        f"no site in bellhand_seo.sites has the key {name!r}: "
        f"set it in the row of the site, and it is found"
    )


def _query(name: str) -> str:
    return query(f"families/seo/{name}")
