import pytest

from clickscore.config.source import SOURCES, DeltaSource, FolderSource, KafkaSource, Source
from clickscore.sources import delta, folder, kafka
from clickscore.sources.kinds import Kind, kind_of

EACH = [
    (FolderSource(kind="folder", path="landing"), folder),
    (DeltaSource(kind="delta", table="clicks"), delta),
    (KafkaSource(kind="kafka", bootstrap_servers="127.0.0.1:9092", topics=("clicks",)), kafka),
]


@pytest.mark.parametrize(("source", "module"), EACH)
def test_each_kind_of_source_is_read_by_its_own_module(source: Source, module: Kind) -> None:
    assert kind_of(source) is module


def test_no_kind_is_left_out() -> None:
    assert {source.kind for source, _ in EACH} == set(SOURCES)
