from datetime import datetime, timezone

from clickscore.cli import utc


def test_time_without_a_zone_is_utc() -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
    assert utc("2026-03-01T12:00:00") == utc("2026-03-01T13:00:00+01:00") == noon
