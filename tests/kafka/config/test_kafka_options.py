"""The list of consumer options is the one of the Kafka client that Spark reads with."""

from pyspark.sql import SparkSession

from clickscore.config.kafka_options import ALLOWED, FORBIDDEN


def test_every_option_of_the_client_is_allowed_or_forbidden(spark: SparkSession) -> None:
    names = set(spark.sparkContext._jvm.org.apache.kafka.clients.consumer.ConsumerConfig.configNames())
    public = {name for name in names if not name.startswith("internal.")}
    assert not ALLOWED & FORBIDDEN.keys()
    assert public == ALLOWED | FORBIDDEN.keys()
