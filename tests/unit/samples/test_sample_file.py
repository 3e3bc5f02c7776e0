import gzip
import io
from pathlib import Path

import pytest

from clickscore.errors import SourceError
from clickscore.samples.sample_file import read_sample


def test_sample_is_read_from_a_file_or_a_compressed_one(tmp_path: Path) -> None:
    plain, packed = tmp_path / "a.jsonl", tmp_path / "a.jsonl.gz"
    plain.write_bytes(b'{"a":1}\r\n\n{"a":2}')
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    for file in (plain, packed):
        assert read_sample(str(file), 10).to_pylist() == [b'{"a":1}', b"", b'{"a":2}']
    assert read_sample(str(plain), 1).to_pylist() == [b'{"a":1}']


def test_standard_input_is_read_and_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(b"a\nb\n"))
    monkeypatch.setattr("sys.stdin", stream)
    assert read_sample("-", 10).to_pylist() == [b"a", b"b"]
    assert not stream.closed


def test_file_that_is_not_there_or_not_compressed_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"the sample \S+none.jsonl cannot be read: .*No such file"):
        read_sample(str(tmp_path / "none.jsonl"), 10)
    (tmp_path / "a.gz").write_bytes(b"plain")
    with pytest.raises(SourceError, match="cannot be read: Not a gzipped file"):
        read_sample(str(tmp_path / "a.gz"), 10)
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"a" * 100)[:-10])
    with pytest.raises(SourceError, match="cannot be read"):
        read_sample(str(tmp_path / "cut.gz"), 10)
