"""From when on scores and features count as drifted."""

from typing import Annotated

from pydantic import Field

from clickscore.config.fields import Milliseconds, Section, Text

CALENDAR = ("hour_of_day", "day_of_week")


class Drift(Section):
    """From when on the running stream says that scores and features are not those that the model was made for.

    The clicks of the last ``window`` are compared with the baseline that training keeps with each version.

    Example::

        drift:
          psi:     0.2
          window:  24 hours
          minimum: 1000
          ignore:  [hour_of_day, day_of_week, is_holiday]

    Attributes:
        psi: population stability index from which on the score or a feature has drifted. By the convention of the
            field, 0.1 is a moderate change and 0.25 a significant one.
        window_ms: how far back clicks count, by the time at which they were scored.
        minimum: clicks in the window from which on anything is said: the shares of fewer clicks differ by chance.
        ignore: features that nobody is told about, though they are counted: those of the calendar, which differ from
            the baseline by nature. The default names those of the features files that come with clickscore.
    """

    psi: Annotated[float, Field(gt=0)] = 0.2
    window_ms: Annotated[Milliseconds, Field(alias="window")] = 24 * 3_600_000
    minimum: Annotated[int, Field(gt=0)] = 1_000
    ignore: Annotated[tuple[Text, ...], Field(strict=False)] = CALENDAR
