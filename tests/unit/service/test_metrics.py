from clickscore.service.metrics import Metrics


def test_metrics_say_what_was_answered_and_refused_and_by_which_model() -> None:
    metrics = Metrics()
    waiting = 7
    metrics.watch("clickscore_records_waiting", "Records whose requests wait.", lambda: waiting)
    scored, rejected = {"verdict": "scored", "reason": None}, {"verdict": "rejected", "reason": "missing_field"}
    metrics.answered([scored, scored, rejected], 0.003)
    metrics.refused(503)
    assert {
        'clickscore_requests_total{status="200"} 1.0', 'clickscore_requests_total{status="503"} 1.0',
        'clickscore_records_total{reason="",verdict="scored"} 2.0',
        'clickscore_records_total{reason="missing_field",verdict="rejected"} 1.0',
        'clickscore_request_seconds_bucket{le="0.002"} 0.0', 'clickscore_request_seconds_bucket{le="0.004"} 1.0',
        "clickscore_records_waiting 7.0", 'clickscore_model_info{name="m",version="3"} 1.0',
    } <= set(metrics.exposition(("m", "3")).decode().splitlines())  # fmt: skip


def test_model_of_before_is_not_told_any_more() -> None:
    metrics = Metrics()
    metrics.exposition(("m", "3"))
    assert 'version="3"' not in metrics.exposition(("m", "4")).decode()
    assert "clickscore_model_info{" not in metrics.exposition(None).decode()
