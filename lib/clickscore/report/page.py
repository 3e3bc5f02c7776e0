"""The page: one HTML file with its texts, its charts and the program that draws them; it loads nothing."""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files

import vl_convert
from jinja2 import Environment, StrictUndefined

from clickscore.report.sections import Figure, Section, Spec, moment

_GLOBALS = "window.vegaEmbed = vegaEmbed;"
_SCRIPT_CHARACTERS = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}
"""In JSON inside of a page: without them, no text can end the element that it is in, or begin another one."""


@dataclass(frozen=True)
class Page:
    """What a page shows.

    Attributes:
        title: its heading.
        tables: the tables that it is made of, with their versions.
        made: when, UTC.
        figures: the numbers at the top.
        sections: the answers.
    """

    title: str
    tables: Sequence[tuple[str, int]]
    made: datetime
    figures: Sequence[Figure]
    sections: Sequence[Section]


def render(page: Page) -> str:
    """Return the HTML of a page; every text of a table is escaped, and no script runs but those of the page."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True)
    bundle, script = vl_convert.javascript_bundle(_GLOBALS), _text("page.js")
    return environment.from_string(_text("page.html.j2")).render(
        page=page, made=moment(page.made), style=_text("page.css"), bundle=bundle, script=script,
        digests=[_digest(text) for text in (bundle, script)], as_json=_as_json,
    )  # fmt: skip


def _text(name: str) -> str:
    return files("clickscore.report").joinpath(name).read_text(encoding="utf-8")


def _digest(script: str) -> str:
    """Return how the page's policy names a script that may run."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _as_json(spec: Spec) -> str:
    text = json.dumps(spec, separators=(",", ":"), allow_nan=False)
    return "".join(_SCRIPT_CHARACTERS.get(character, character) for character in text)
