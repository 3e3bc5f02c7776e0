"""What users write today to score clicks: `from_json`, features in Spark SQL, and `mlflow.pyfunc.spark_udf`."""

from collections.abc import Callable
from pathlib import Path

import mlflow
from benchmarks.common.select import select_list
from mlflow.models import get_model_info
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

MODEL = "models:/click_propensity@champion"
JARS = Path("build/jars/spark")
"""Those of Delta and Kafka."""
FEATURES = Path("benchmarks/features_spark.sql")


def build_session() -> SparkSession:
    """Return a session with Delta and Kafka, and nothing else that is not a default."""
    return (
        SparkSession.builder.appName("recipe")
        .config("spark.jars", ",".join(map(str, sorted(JARS.glob("*.jar")))))
        .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
        .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
        .getOrCreate()
    )


def read_click() -> T.StructType:
    """Return the fields of a click, as Spark reads its own DDL."""
    click = T.StructType.fromDDL(Path("conf/click.ddl").read_text(encoding="utf-8"))
    assert isinstance(click, T.StructType)
    return click


def scoring(spark: SparkSession) -> Callable[[DataFrame], DataFrame]:
    """Fetch the model from the registry that MLflow knows; return the function that scores clicks.

    It adds the columns of ``scored_clicks`` that say the score, the model and the time.
    """
    features = select_list(FEATURES)
    # Without the type, the score would be an array of one number.
    model, predict = get_model_info(MODEL), mlflow.pyfunc.spark_udf(spark, MODEL, result_type="double")
    inputs = [F.col("features")[field.name] for field in model.signature.inputs.inputs]

    def scored(clicks: DataFrame) -> DataFrame:
        featured = clicks.alias("click").withColumn("features", F.expr(f"struct({features})"))
        return (
            featured.withColumn("score", predict(F.struct(*inputs)))
            .withColumn("model_name", F.lit("click_propensity"))
            .withColumn("model_version", F.lit(str(model.registered_model_version)))
            .withColumn("scored_at", F.current_timestamp())
            .drop("features")
        )

    return scored
