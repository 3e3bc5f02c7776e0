"""What a success is, whose success it is, and when a failure is certain: the one definition of all jobs."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from clickscore.config.fields import Milliseconds, Section, TableName, Text


class Labels(Section):
    """A second table that says what became of clicks, or of visitors, beside the clicks themselves.

    Example::

        labels: {table: shop.orders, visitor: customer, time: ordered_at, success: status = 'paid'}

    Example::

        labels: {table: build/demo/answers, id: click_id, time: answered_at}

    Attributes:
        table: Delta table, or a folder of Parquet files; any path, or a name in a catalog.
        id: its column with the id of a click; a row is about the unit of that click.
        visitor: its column with a visitor; a row is about the units of that visitor. One of ``id`` and ``visitor``.
        time: its TIMESTAMP column with the time of what happened; a row counts for a unit whose time that falls into.
        success: Spark SQL condition on a row; one row that meets it makes its unit a success.
    """

    table: TableName
    id: Text | None = None
    visitor: Text | None = None
    time: Text
    success: Text = "true"

    @model_validator(mode="after")
    def _has_one_key(self) -> "Labels":
        if (self.id is None) == (self.visitor is None):
            raise ValueError("expected one of id and visitor, the column that says whom a row is about")
        return self


class Outcome(Section):
    """What a success is, and for how long it is waited for; training, promotion, ``outcomes`` and the report agree.

    Example::

        outcome:
          success: event_type = 'purchase'
          unit:    session
          session: session_id
          window:  24 hours

    Example::

        outcome:
          success: "false"
          unit:    visitor
          silence: 30 minutes
          labels:  {table: shop.orders, visitor: customer, time: ordered_at, success: status = 'paid'}

    Attributes:
        success: Spark SQL condition on a click; one click that meets it makes its unit a success. Write ``"false"``
            where only labels tell.
        unit: what succeeds or fails: a ``session``, a ``visitor`` or a single ``click``.
        session: the field that identifies a session; only for this unit.
        window_ms: how long a unit is followed, from its first click on; later clicks do not belong to it.
        silence_ms: instead of ``window``: a unit is followed until it had no click for as long; clicks after the first
            such silence do not belong to it.
        labels: another table with successes; left out, only clicks tell.
    """

    success: Text
    unit: Literal["session", "visitor", "click"]
    session: Text | None = None
    window_ms: Annotated[Milliseconds | None, Field(alias="window")] = None
    silence_ms: Annotated[Milliseconds | None, Field(alias="silence")] = None
    labels: Labels | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> "Outcome":
        if (self.unit == "session") != (self.session is not None):
            problem = (
                "has no use for session; omit it" if self.session else "needs session, the field that identifies one"
            )
            raise ValueError(f"unit: {self.unit} {problem}")
        if (self.window_ms is None) == (self.silence_ms is None):
            raise ValueError('expected one of window and silence, such as window: "24 hours"')
        return self

    def field(self, click_id: str, visitor: str) -> str:
        """Return the field of a click that identifies its unit."""
        return self.session or {"click": click_id, "visitor": visitor}[self.unit]
