"""Arguments that several jobs share."""

from datetime import datetime, timezone


def utc(text: str) -> datetime:
    """Return a time in ISO 8601; without a zone it is UTC.

    Raises:
        ValueError: if it is none.
    """
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
