from dataclasses import asdict

from clickscore.monitoring.report import Report


def test_report_travels_as_plain_values() -> None:
    report = Report(0, 10, 8, 1, 1, 0.5, None, "click_propensity", "3", duplicates=1)
    assert report.read == report.scored + report.rejected + (report.duplicates or 0)
    assert {type(value) for value in asdict(report).values()} <= {int, float, str, type(None), tuple, dict}
