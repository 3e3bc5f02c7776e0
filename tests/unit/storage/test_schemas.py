from pyspark.sql import types as T

from clickscore.storage.schemas import Scores, scored_clicks


def fields(*fields: tuple[str, T.DataType, bool]) -> T.StructType:
    return T.StructType([T.StructField(*field) for field in fields])


GOOD = fields(("id", T.StringType(), False), ("at", T.TimestampType(), False), ("visitor", T.StringType(), False))


def test_scored_clicks_end_with_score_model_and_lineage() -> None:
    assert scored_clicks(GOOD).names == [
        "id", "at", "visitor", "score", "model_name", "model_version", "scored_at", "source", "source_offset",
        "batch_id",
    ]  # fmt: skip


def test_other_outputs_and_the_challenger_have_columns_where_they_are_asked_for() -> None:
    names = scored_clicks(GOOD, scores=Scores(("score", "leave"), is_challenged=True)).names
    assert names[3:9] == ["score", "leave", "model_name", "model_version", "scored_at", "challenger_score"]
