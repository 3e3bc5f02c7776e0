"""Fields become the files of a shop: click.ddl, features.sql and run.yaml, as a person would have written them."""

import re
from collections import Counter
from collections.abc import Iterable

import yaml

from clickscore.config.record_path import parse_path
from clickscore.shops.feature_file import features_text
from clickscore.shops.fields import Field, Fields
from clickscore.shops.names import words_of

CONFIG = "run.yaml"
"""The configuration in the folder of a shop."""
_PLAIN = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_SESSION = re.compile(r"(^|_)(session|visit)_?(id|key|uuid|guid)?$")
_SUCCESS = re.compile(r"purchas|order|transaction|bought|checkout|convert|conversion|sale|paid", re.IGNORECASE)
"""Values of a field that mean the success of a visit."""
_NO_SUCCESS = re.compile(r"view|start|begin|step|cancel|refund|abandon|fail|list|click|add", re.IGNORECASE)
_SIMPLE = re.compile(r"[\w .:$/-]+")
VISIT_ENDS = "30 minutes"
"""Silence that ends a visit, as in web analytics. A sample of some hours has visits that are over, to train on."""
MOST_KINDS = 50
"""Values of a field that says what a visitor did."""


def files_of(fields: Fields, records: int, folder: str, shop: str) -> dict[str, str]:
    """Return the files of a shop, by their names.

    Args:
        fields: of a click.
        records: how many there are in the sample.
        folder: where the files will be.
        shop: name of the shop.
    """
    return {
        "click.ddl": ddl_text(fields.all, records),
        "features.sql": features_text(fields, records),
        CONFIG: config_text(fields, folder, shop),
    }


def ddl_text(fields: Iterable[Field], records: int) -> str:
    """Return the click schema; comments say where a field comes from, until a person says what it means.

    They have no values: comments become those of the table's columns, and values may be personal data.
    """
    rows = [(_column(field.name), field.kind.ddl, "NOT NULL" if field.is_required else "", field) for field in fields]
    names, kinds = (max(len(row[number]) for row in rows) for number in (0, 1))
    return ",\n".join(
        f"{name:<{names}} {kind:<{kinds}} {required:<8} COMMENT 'To fill in; {_origin(field, records)}'"
        for name, kind, required, field in rows
    ) + "\n"  # fmt: skip


def config_text(fields: Fields, folder: str, shop: str) -> str:
    """Return the configuration: mapping, lenient fields, and what a training needs where the sample shows it."""
    mapped = {field.name: text for field in fields.all if (text := _source(field))}
    lenient = [field.name for field in fields.all if field.kind.is_lenient]
    build = f"build/shops/{shop}"
    lines = [
        "# Guessed from a sample of records by new_shop.py: read it, and change what is wrong.",
        f"source:     {{kind: folder, path: {yaml_text(f'{build}/landing')}}}",
        "click:",
        f"  schema:  {yaml_text(f'{folder}/click.ddl')}",
        *(f"  {role + ':':<8} {yaml_text(getattr(fields, role))}" for role in ("id", "time", "visitor")),
        *(["  from:"] if mapped else []),
        *(f"    {yaml_text(name)}: {text}" for name, text in mapped.items()),
        *([f"  lenient: {yaml_text(lenient)}"] if lenient else []),
        f"features:   {yaml_text(f'{folder}/features.sql')}",
        "model:",
        f"  uri:      {yaml_text(f'models:/{shop}_propensity@champion')}",
        f"  registry: {yaml_text(f'sqlite:///{build}/mlflow.db')}",
        "output:",
        f"  scored:   {yaml_text(f'{build}/scored_clicks')}",
        f"  rejected: {yaml_text(f'{build}/rejected_clicks')}",
        f"checkpoint: {yaml_text(f'{build}/checkpoint')}",
        "trigger:    available_now",
    ]
    return "\n".join([*lines, *_outcome_and_training(fields, build)]) + "\n"


def _outcome_and_training(fields: Fields, build: str) -> list[str]:
    session = next((field.name for field in fields.all if _is_session(field)), None)
    found = next((f"`{field.name}` = '{value}'" for field in fields.all if (value := _success(field))), None)
    section = [
        "outcome:",
        f"  success: {yaml_text(found or '...')}",
        *(["  unit:    visitor"] if session is None else ["  unit:    session", f"  session: {yaml_text(session)}"]),
        f"  silence: {VISIT_ENDS}",
        "training:",
        f"  clicks: {yaml_text(f'{build}/history')}",
    ]
    if found:
        return section
    why = "# No value in the sample looks like a success. To train a model, say what one is:"
    return [why, *(f"# {line}" for line in section)]


def _is_session(field: Field) -> bool:
    is_one_id = field.kind.ddl in ("STRING", "BIGINT")
    return is_one_id and any(_SESSION.search("_".join(words_of(parse_path(path)))) for path in field.paths)


def _success(field: Field) -> str | None:
    """Return the value of a text that means success, the one that says so most shortly."""
    counts = Counter(field.values) if field.kind.ddl == "STRING" else {}
    if not 1 < len(counts) <= MOST_KINDS:
        return None
    texts = [value for value in counts if isinstance(value, str) and _SIMPLE.fullmatch(value)]
    likely = [text for text in texts if _SUCCESS.search(text) and not _NO_SUCCESS.search(text)]
    return min(likely, key=lambda text: (len(text), text), default=None)


def _source(field: Field) -> str | None:
    """Return what click.from says of a field; None for one that stands under its own name."""
    if field.is_joined:
        return f"{{concat: {yaml_text(list(field.paths))}}}"
    if len(field.paths) > 1:
        return yaml_text(list(field.paths))
    is_own = parse_path(field.paths[0]) == (field.name,)
    if field.kind.format:
        path = "" if is_own else f"path: {yaml_text(field.paths[0])}, "
        return f"{{{path}format: {yaml_text(field.kind.format)}}}"
    return None if is_own else yaml_text(field.paths[0])


def yaml_text(value: str | list[str]) -> str:
    """Return a text, or a list of texts, as YAML has it within a line."""
    dumped: str = yaml.safe_dump([value], default_flow_style=True, width=float("inf"), allow_unicode=True)
    return dumped.strip()[1:-1]


def _column(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else f"`{name}`"


def _origin(field: Field, records: int) -> str:
    place = (" + " if field.is_joined else " or ").join(field.paths)
    text = "".join(character for character in place if character.isprintable() and character not in "'\\\"")
    return f"from {text}, in {len(field.values):,} of {records:,} records"
