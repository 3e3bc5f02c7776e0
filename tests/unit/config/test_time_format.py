import pytest

from clickscore.config.time_format import check_format, check_zone


def test_format_and_zone_that_tell_one_time_are_accepted() -> None:
    check_format("%d.%m.%Y %H:%M")
    check_zone("Europe/Zurich")


@pytest.mark.parametrize("format", ["%Y-%m-%d %Z", "%H:%M", "%Y-%m-%d %I", "%Q", "%Y-%m-%d\ud800%"])
def test_format_that_loses_a_part_of_a_time_is_refused(format: str) -> None:
    with pytest.raises(ValueError):
        check_format(format)


@pytest.mark.parametrize("zone", ["", "Mars/Base", "/etc/localtime", "Europe", "\0", "é"])
def test_zone_that_nobody_knows_is_refused(zone: str) -> None:
    with pytest.raises(ValueError, match="expected a time zone such as Europe/Zurich, found"):
        check_zone(zone)
