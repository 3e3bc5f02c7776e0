from prometheus_client import REGISTRY, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from clickscore.monitoring.health import Health
from clickscore.monitoring.metrics import make_registry
from clickscore.monitoring.report import Report

MODEL = ("click_propensity", "3")


def lines(health: Health) -> list[str]:
    return generate_latest(make_registry(health)).decode().splitlines()


def test_every_number_is_told_by_its_name() -> None:
    health = Health(300)
    health.serves("click_propensity", "2")
    health.report(Report(7, 20, 15, 1, 2, 0.7, None, *MODEL, duplicates=4))
    health.report(Report(8, 10, 10, 0, 2, 700.0, None, *MODEL, scores=(0.4, [0.1, 0.2, 0.3, 0.5, 0.9])))
    health.report(Report(9, 3, 0, 3, 1, 0.3, None, *MODEL, by_reason={"tombstone": 1, "wrong_type": 2}))
    health.failed()
    health.refused()
    health.moved({"score": 0.01, "price": 0.4})
    told = lines(health)
    for line in (
        "clickscore_records_read_total 33.0",
        "clickscore_clicks_scored_total 25.0",
        "clickscore_records_rejected_total 4.0",
        "clickscore_duplicates_total 4.0",
        "clickscore_batches_total 3.0",
        "clickscore_retries_total 1.0",
        "clickscore_last_batch_id 9.0",
        "clickscore_oldest_unprocessed_seconds NaN",
        "clickscore_consecutive_failures 1.0",
        'clickscore_status{status="ok"} 1.0',
        'clickscore_status{status="stuck"} 0.0',
        "clickscore_models_refused_total 1.0",
        'clickscore_records_rejected_by_reason_total{reason="tombstone"} 1.0',
        'clickscore_records_rejected_by_reason_total{reason="wrong_type"} 2.0',
        "clickscore_score_mean 0.4",
        'clickscore_drift{feature="price"} 0.4',
        'clickscore_drift{feature="score"} 0.01',
        'clickscore_score_quantile{quantile="0.05"} 0.1',
        'clickscore_score_quantile{quantile="0.95"} 0.9',
        'clickscore_batch_seconds_bucket{le="0.5"} 1.0',
        'clickscore_batch_seconds_bucket{le="1.0"} 2.0',
        'clickscore_batch_seconds_bucket{le="600.0"} 2.0',
        'clickscore_batch_seconds_bucket{le="+Inf"} 3.0',
        "clickscore_batch_seconds_count 3.0",
        "clickscore_batch_seconds_sum 701.0",
    ):
        assert line in told
    models = [line for line in told if line.startswith("clickscore_model_info{")]
    assert models == ['clickscore_model_info{name="click_propensity",version="3"} 1.0']


def test_every_metric_is_ours_and_explained_by_a_sentence() -> None:
    families = list(text_string_to_metric_families("\n".join(lines(Health(300))) + "\n"))
    assert len(families) == 18
    for family in families:
        assert family.name.startswith("clickscore_")
        assert family.documentation.endswith(".")
        assert family.type in ("counter", "gauge", "histogram")


def test_registry_of_the_process_is_left_alone() -> None:
    make_registry(Health(300))
    assert not [family.name for family in REGISTRY.collect() if family.name.startswith("clickscore")]
