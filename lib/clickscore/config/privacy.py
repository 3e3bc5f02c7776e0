"""What the tables may keep of a click: a rule for each field that they may not keep as it is."""

from decimal import Decimal, InvalidOperation
from math import inf
from typing import Annotated, Literal

from pydantic import Field, model_validator

from clickscore.config.fields import Reference, Section, Text, nearest

ACTIONS = ("drop", "hash", "truncate_ip", "strip_query", "coarsen")


class FieldRule(Section):
    """What becomes of a field before it is written.

    Example::

        fields:
          visitor_id: hash
          user_agent: drop
          client_ip:  truncate_ip
          referrer:   strip_query
          page_url:   {strip_query: [utm_source, utm_campaign]}
          price:      {coarsen: 0.5}

    Attributes:
        action: ``drop``, ``hash``, ``truncate_ip``, ``strip_query`` or ``coarsen``; alone, it stands for the entry.
        names: parameters of an address that ``strip_query`` keeps; they stand behind its name.
        step: ``coarsen`` keeps the multiple of it that is next to the value on the side of zero; it stands behind its
            name.
    """

    action: Literal["drop", "hash", "truncate_ip", "strip_query", "coarsen"]
    names: Annotated[tuple[Text, ...], Field(strict=False)] = ()
    step: Decimal | None = None

    @model_validator(mode="before")
    @classmethod
    def _written_out(cls, value: object) -> object:
        """Let an action, or an action with what it needs, stand for the whole section."""
        action, argument = value, None
        if isinstance(value, dict) and len(value) == 1:
            [(action, argument)] = value.items()
        if action not in ACTIONS:
            raise ValueError(f"expected {', '.join(ACTIONS)}, found {action!r}{nearest(str(action), ACTIONS)}")
        if action == "strip_query" and (argument is None or isinstance(argument, list)):
            return {"action": action, "names": tuple(argument or ())}
        if action == "coarsen":
            return {"action": action, "step": _step(argument)}
        if argument is not None:
            raise ValueError(f"{action} needs nothing behind it, found {argument!r}")
        return {"action": action}


def _step(value: object) -> Decimal:
    try:
        step = Decimal(str(value))
    except InvalidOperation:
        step = Decimal(0)
    # A number of hundreds of digits between a value and its step would be too long to divide.
    if isinstance(value, bool) or not step.is_finite() or not 0 < float(step) < inf:
        raise ValueError(f"expected a step above 0 that a DOUBLE holds, such as {{coarsen: 10}}, found {value!r}")
    return step


class Privacy(Section):
    """What is done to fields of a click before anything is written, and after the features are computed.

    Example::

        privacy:
          key:    env:CLICKSCORE_PRIVACY_KEY
          fields: {visitor_id: hash, user_agent: drop, page_url: {strip_query: [utm_source]}}
          raw:    masked

    Attributes:
        fields: field of the click to what becomes of it.
        key: reference to the key of the hashes, of 32 bytes at least; needed where a field is hashed.
        raw: what ``rejected_clicks`` keeps of a rejected record. ``masked`` keeps the fields of the click that can be
            read, under the same rules, as JSON; ``drop`` keeps nothing; ``keep`` keeps the record whole.
    """

    fields: Annotated[dict[Text, FieldRule], Field(min_length=1)]
    key: Reference | None = None
    raw: Literal["masked", "drop", "keep"] = "masked"
