"""The contract files: the click schema and the features file, read and checked with Spark's own parser."""

from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import types as T

from clickscore.config.run import Config
from clickscore.errors import ConfigError, gist
from clickscore.scoring import features
from clickscore.storage import schemas
from clickscore.stream.pipeline import Contract


def read_contract(config: Config) -> Contract:
    """Read the click schema and the features file.

    Raises:
        ConfigError: if one of them is wrong in itself.
    """
    where = str(config.click.ddl)
    try:
        click = T.StructType.fromDDL(config.click.ddl.read_text(encoding="utf-8"))
    except PySparkException as error:
        raise ConfigError(where, [f"expected fields in Spark DDL: {gist(error)}"]) from None
    assert isinstance(click, T.StructType)
    picks = tuple(config.model.picks)
    schemas.check_click(click, config.click.id, config.click.time, config.click.visitor, where, picks)
    select = features.select_list(config.features.read_text(encoding="utf-8"), str(config.features))
    return Contract(
        click=click,
        id=config.click.id,
        time=config.click.time,
        visitor=config.click.visitor,
        select=select,
        kept=tuple(schemas.KEPT[name] for name in config.source.keep),
        scores=schemas.Scores(picks, config.model.challenger is not None),
    )


def feature_types(spark: SparkSession, contract: Contract, where: str) -> T.StructType:
    """Return the features with the types that Spark gives them.

    Raises:
        ConfigError: if an expression cannot be computed from a click.
    """
    no_clicks = spark.createDataFrame([], T.StructType([T.StructField(f.name, f.dataType) for f in contract.click]))
    try:
        featured = features.with_features(no_clicks, contract.select)
    except AnalysisException as error:
        raise ConfigError(where, [gist(error)]) from None
    data_type = featured.schema[features.FEATURES_COLUMN].dataType
    assert isinstance(data_type, T.StructType)
    return data_type
