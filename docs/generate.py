"""The tables of the pages in docs/ that repeat what the code knows: columns, reason codes, configuration keys.

A page marks such a part with ``<!-- generated: NAME -->`` and ``<!-- end -->``; the rest is written by hand.
``python -m docs.generate`` renews the parts, ``python -m docs.generate --check`` lists the pages that are out of date.
"""

import argparse
import ast
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from inspect import cleandoc
from itertools import pairwise
from math import inf
from pathlib import Path
from textwrap import dedent
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo
from pyspark.sql import types as T

from clickscore import reasons
from clickscore.config import (
    click,
    deduplicate,
    drift,
    endpoint,
    erasure,
    fields,
    lineage,
    model,
    outcome,
    output,
    privacy,
    retention,
    run,
    service,
    source,
    training,
    value,
)
from clickscore.config.fields import Section
from clickscore.config.kafka_options import ALLOWED, FORBIDDEN
from clickscore.monitoring.health import Health
from clickscore.monitoring.metrics import make_registry
from clickscore.scoring.feature_functions import AMBIGUOUS, SPARK_FUNCTIONS, SPARK_OPERATORS
from clickscore.storage import backfills, erasures, model_decisions, schemas, stream_metrics

PAGES = Path(__file__).parent
PART = re.compile(r"(<!-- generated: (.+?) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
SECTIONS: dict[str, type[Section]] = {
    section.__name__: section
    for section in (
        run.Config, click.Click, click.FieldSource, output.Output, privacy.Privacy, deduplicate.Deduplicate,
        drift.Drift, run.HealthEndpoint, erasure.Erasure, retention.Retention, lineage.Lineage, outcome.Outcome,
        outcome.Labels, training.Training, training.Retrain, source.FolderSource, source.DeltaSource,
        source.KafkaSource, source.Security, value.Value, model.Model, model.Allow, endpoint.Endpoint,
        model.Promotion, model.Gate, service.Service, service.WriteBehind,
    )
}  # fmt: skip
SECTION = "section"
EXAMPLE = re.compile(r"^Example::\n\n((?:    .*\n|\n)+)", re.MULTILINE)
ATTRIBUTE = re.compile(r"^    (\w+): ((?:.|\n(?=        ))+)", re.MULTILINE)


def main(argv: list[str] | None = None) -> int:
    """Renew the pages, or say which are out of date; 1 if any is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 if a page is out of date")
    arguments = parser.parse_args(argv)
    stale = {page: text for page in sorted(PAGES.glob("*.md")) if (text := renewed(page)) != page.read_text()}
    for page, text in stale.items():
        if arguments.check:
            print(f"docs/{page.name} is out of date: run python -m docs.generate", file=sys.stderr)
        else:
            page.write_text(text)
            print(f"docs/{page.name} renewed")
    return 1 if stale and arguments.check else 0


def renewed(page: Path) -> str:
    """Return the text of a page with its generated parts as the code says now."""
    return PART.sub(lambda found: f"{found[1]}\n{_part(found[2])}\n\n{found[4]}", page.read_text())


def _part(name: str) -> str:
    kind, _, argument = name.partition(" ")
    parts: dict[str, Callable[[str], str]] = {
        "table": columns_of, "reasons": reason_codes, "keys": keys_of, "example": examples_of,
        "file": shipped_file, "kafka-options": kafka_options, "metrics": metrics, "spark-names": spark_names,
        "ambiguous-names": ambiguous_names,
    }  # fmt: skip
    return parts[kind](argument)


def grid(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a Markdown table."""
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def columns_of(table: str) -> str:
    """Return the columns of an output table: name, type, whether it may be null, meaning."""
    kept, replayed = schemas.KEPT.values(), schemas.REPLAYED.fields
    shapes = {
        "scored_clicks": schemas.scored_clicks(T.StructType(), kept, schemas.Scores(is_challenged=True)).fields,
        "rejected_clicks": [*schemas.rejected_clicks(kept).fields, *replayed],
        "model_timeline": schemas.MODEL_TIMELINE.fields,
        "source_gaps": schemas.SOURCE_GAPS.fields,
        "backfills": backfills.BACKFILLS.fields,
        "stream_metrics": stream_metrics.STREAM_METRICS.fields,
        "erasures": erasures.ERASURES.fields,
        "outcomes": schemas.OUTCOMES.fields,
        "model_decisions": model_decisions.MODEL_DECISIONS.fields,
    }
    is_of_clicks = table in ("scored_clicks", "rejected_clicks")
    rare = {field.name: f"with `keep: [{key}]`" for key, field in schemas.KEPT.items()}
    rare |= {field.name: "with `model.challenger`" for field in schemas.CHALLENGER}
    rare |= {field.name: "after the first replay" for field in replayed}
    return grid(
        ("column", "type", "null", "meaning"),
        (
            (
                f"`{field.name}`",
                "ARRAY" if isinstance(field.dataType, T.ArrayType) else field.dataType.simpleString().upper(),
                "yes" if field.nullable else "no",
                field.metadata["comment"]
                + (f" (only {rare[field.name]})" if is_of_clicks and field.name in rare else ""),
            )
            for field in shapes[table]
        ),
    )


def reason_codes(_: str = "") -> str:
    """Return the reason codes with what is true of the record."""
    body = ast.parse(Path(reasons.__file__).read_text()).body
    rows = [
        (f"`{ast.literal_eval(code.value)}`", str(ast.literal_eval(text.value)))
        for code, text in pairwise(body)
        if isinstance(code, ast.Assign) and isinstance(text, ast.Expr)
    ]
    return grid(("reason", "the record"), rows)


def keys_of(section: str) -> str:
    """Return the keys of a section of the configuration: name, type, default, meaning."""
    kind = SECTIONS[section]
    meanings = {name: _sentence(text) for name, text in ATTRIBUTE.findall(_docstring(kind))}
    hints = get_type_hints(kind, include_extras=True)
    return grid(
        ("key", "type", "default", "meaning"),
        (
            (
                f"`{key}`",
                type_name(hints[name]).replace(SECTION, f"[{SECTION}](#{key})"),
                _default(field),
                meanings[name],
            )
            for name, field in kind.model_fields.items()
            for key in [field.alias or name]
        ),
    )


def examples_of(section: str) -> str:
    """Return the examples of a section as YAML."""
    blocks = EXAMPLE.findall(_docstring(SECTIONS[section]))
    return "\n\n".join(f"```yaml\n{dedent(block).strip()}\n```" for block in blocks)


def shipped_file(path: str) -> str:
    """Return a configuration file as it is in the repository."""
    return f"```yaml\n{(PAGES.parent / path).read_text().strip()}\n```"


def _sentence(text: str) -> str:
    words = " ".join(text.split()).replace("``", "`")
    return words[0].upper() + words[1:]


def _docstring(kind: type[Section]) -> str:
    return cleandoc(kind.__doc__ or "") + "\n"


def type_name(hint: Any) -> str:
    """Return in words what a key takes in the YAML file."""
    if get_origin(hint) in (UnionType, Union):
        sections = [each for each in get_args(hint) if each is not NoneType]
        return " or ".join(dict.fromkeys(map(type_name, sections)))
    if get_origin(hint) is Literal:
        return " or ".join(f"`{each}`" for each in get_args(hint))
    if get_origin(hint) is tuple:
        return f"list of {type_name(get_args(hint)[0])}"
    if get_origin(hint) is dict:
        return "map"
    if get_origin(hint) is Annotated:
        base, *rest = get_args(hint)
        for words, kind in _WORDS.items():
            if get_args(kind)[1] in rest:
                return words
        return type_name(base) + _bounds(rest)
    if isinstance(hint, type) and issubclass(hint, Section):
        return SECTION
    return {str: "text", bool: "true or false", int: "whole number", float: "number"}[hint]


_WORDS: dict[str, Any] = {
    "interval": fields.Milliseconds,
    "size": fields.Size,
    "file": fields.ExistingFile,
    "secret reference": fields.Reference,
    "model URI": model.ModelUri,
    "model URI or endpoint": model.ChampionUri,
    "`available_now` or interval": get_type_hints(run.Config, include_extras=True)["trigger"],
    "`earliest`, `latest` or time": get_type_hints(source.KafkaSource, include_extras=True)["start"],
}


def _bounds(metadata: Iterable[Any]) -> str:
    inner = [limit for each in metadata for limit in (each.metadata if isinstance(each, FieldInfo) else [each])]
    words = [
        f"{sign} {getattr(limit, name):,}"
        for limit in inner
        for kind, name, sign in ((Gt, "gt", ">"), (Ge, "ge", "≥"), (Lt, "lt", "<"), (Le, "le", "≤"))
        if isinstance(limit, kind)
    ]
    return f", {' and '.join(words)}" if words else ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None or value in ((), {}, "") or (isinstance(value, Section) and not value.model_fields_set):
        return ""
    if isinstance(value, Section):
        return f"`{{{', '.join(f'{key}: {getattr(value, key)}' for key in value.model_fields_set)}}}`"
    if isinstance(value, tuple):
        return ", ".join(f"`{each}`" for each in value)
    return f"`{_with_unit(value, field.metadata)}`"


def _with_unit(value: Any, metadata: Iterable[Any]) -> str:
    checks = list(metadata)
    if get_args(fields.Size)[1] in checks:
        return f"{value // 1024**2} MiB"
    if get_args(fields.Milliseconds)[1] in checks:
        minutes, seconds = divmod(value // 1000, 60)
        return f"{seconds} seconds" if seconds else f"{minutes} minutes"
    return str(value)


def kafka_options(which: str) -> str:
    """Return the options of Kafka's consumer that are refused, by reason, or those that are passed on."""
    if which == "passed-on":
        return ", ".join(f"`{name}`" for name in sorted(ALLOWED))
    by_reason: dict[str, list[str]] = defaultdict(list)
    for name, reason in FORBIDDEN.items():
        by_reason[reason].append(f"`{name}`")
    return grid(("option", "why it is refused"), ((", ".join(names), why) for why, names in by_reason.items()))


def metrics(_: str = "") -> str:
    """Return the metrics of a running job."""
    families = make_registry(Health(stuck_after_s=inf)).collect()
    names = ((family.name + ("_total" if family.type == "counter" else ""), family) for family in families)
    return grid(("metric", "type", "meaning"), ((f"`{name}`", f.type, f.documentation) for name, f in names))


def spark_names(_: str = "") -> str:
    """Return names of Spark SQL with what a features file says instead."""
    names = sorted((SPARK_FUNCTIONS | SPARK_OPERATORS).items())
    return grid(("Spark SQL", "DuckDB SQL"), ((f"`{name}`", _code(words)) for name, words in names))


def ambiguous_names(_: str = "") -> str:
    """Return names that DuckDB and Spark SQL read differently, with what a features file says instead."""
    rows = ((f"`{name}`", does, _code(instead)) for name, (does, instead, _) in sorted(AMBIGUOUS.items()))
    return grid(("name", "why it is refused", "write instead"), rows)


def _code(words: str) -> str:
    """Mark the code in words such as ``list[n], or map[key]; counts from 1``."""
    parts = re.split(r"(^the .*|; .*|, which .*| for [A-Z].*?(?=, or |$)|,? or )", words)
    return "".join(part if number % 2 or not part else f"`{part}`" for number, part in enumerate(parts))


if __name__ == "__main__":
    sys.exit(main())
