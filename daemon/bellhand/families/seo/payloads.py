"""What the family's payloads have in common: names as Python writes them, and as apps in JavaScript do."""

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

_ALIASES = {
    "siteId": "site_id",
    "crawlId": "crawl_id",
    "maxPages": "max_pages",
    "userId": "user_id",
}


def _with_aliases(schema: dict[str, Any]) -> None:
    """Let the check at the INSERT know the other names too."""
    properties = schema["properties"]
    for alias, name in _ALIASES.items():
        if name in properties:
            properties[alias] = {k: v for k, v in properties[name].items() if k != "examples"}


class Payload(BaseModel):
    """A payload whose keys may be written either way; siteId is site_id."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_with_aliases)

    @model_validator(mode="before")
    @classmethod
    def _by_any_name(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {_ALIASES.get(name, name): value for name, value in given.items()}
