"""Where a sample comes from."""

import gzip
import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from clickscore.errors import SourceError
from clickscore.samples.sample_file import read_sample


def test_sample_is_a_file_a_compressed_one_or_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"1\n2\n3\n")
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b"1\n2\n3\n"))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"1\n2\n3")))
    for name in (str(tmp_path / "a.jsonl"), str(tmp_path / "a.jsonl.gz"), "-"):
        assert read_sample(name, 2).to_pylist() == [b"1", b"2"]


def test_sample_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"1" * 1_000)[:20])
    for name in ("none.jsonl", "cut.gz"):
        with pytest.raises(SourceError, match=f"the sample .*{name} cannot be read: "):
            read_sample(str(tmp_path / name), 10)
