"""The site's pages that nobody wrote: the reference, and `llms.txt` for programs that read."""

from __future__ import annotations

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from bellhand.guides import overview
from bellhand.reference import pages

ROOT = Path(__file__).parents[1]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the generated pages to those that people wrote."""
    for name, text in pages().items():
        files.append(File.generated(config, f"{name}.md", content=text))
    files.append(File.generated(config, "llms.txt", content=overview(lambda name: f"{name}.html")))
    return files
