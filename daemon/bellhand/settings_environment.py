"""What the environment says of the settings: BELLHAND_WORKER__CONCURRENCY=8.

pydantic-settings reads it, and is only imported where there is something to read: it is a tenth of what a command starts with.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, cast

from .settings_errors import ENV_PREFIX, SettingsError
from .settings_parts import AsWritten

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic_settings import BaseSettings

NESTED = "__"


def read_environment(settings: type[BaseModel]) -> dict[str, Any]:
    """What the variables say, section by section; SettingsError if one is neither a value nor JSON."""
    named = [name for name in os.environ if _field_of(name) in settings.model_fields]
    if not named:
        return {}
    if named == [f"{ENV_PREFIX}DSN"]:  # what most have there, and text as it is
        return {"dsn": os.environ[named[0]]}
    from pydantic_settings import EnvSettingsSource
    from pydantic_settings.exceptions import SettingsError as Unreadable

    class Environment(EnvSettingsSource):
        def decode_complex_value(self, field_name: str, field: Any, value: Any) -> Any:
            # `field` is a bare type where people choose the names: of BELLHAND_LANES__SITES, say.
            if AsWritten in getattr(field, "metadata", ()):
                return value
            return super().decode_complex_value(field_name, field, value)

    # The source looks at nothing but the fields, which any model has.
    model = cast("type[BaseSettings]", settings)
    try:
        return Environment(model, env_prefix=ENV_PREFIX, env_nested_delimiter=NESTED)()
    except Unreadable as error:
        raise SettingsError(
            f"the environment cannot be read: {error}",
            why="what is neither a number nor a text is written as JSON there",
            fix="""write it so: BELLHAND_LANES='{"leads": {"concurrency": 2}}', or into the file""",
        ) from error


def _field_of(variable: str) -> str:
    """The field of the settings that a variable is about; empty for those of others."""
    name = variable.upper()
    return name.removeprefix(ENV_PREFIX).partition(NESTED)[0].lower() if name.startswith(ENV_PREFIX) else ""  # fmt: skip
