"""How long the id of a click is remembered."""

from typing import Annotated

from pydantic import Field

from clickscore.config.fields import Milliseconds, Section


class Deduplicate(Section):
    """Score each click id once within a window of processing time; later copies are counted, not scored.

    Example::

        deduplicate: {window: 10 minutes}

    Attributes:
        window_ms: how long an id is remembered. Set it to your producers' retry window.
    """

    window_ms: Annotated[Milliseconds, Field(alias="window")]
