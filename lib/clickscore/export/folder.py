"""A folder that appears whole or not at all: written beside its place, and renamed when all of it is there."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clickscore.errors import ConfigError


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """Give a new folder to write into, which becomes ``out`` when the block has ended; after an error it is removed.

    Args:
        out: does not exist yet, or is empty.

    Raises:
        ConfigError: if ``out`` has something in it, or cannot be written.
    """
    aside = out.absolute().with_name(f".{out.absolute().name}.{os.getpid()}.tmp")
    try:
        _check(out)
        shutil.rmtree(aside, ignore_errors=True)  # of a process of this number that was killed
        aside.mkdir(parents=True)
        yield aside
        for file in aside.iterdir():
            _sync(file)
        aside.rename(out.absolute())
        _sync(out.absolute().parent)
    except OSError as error:
        raise ConfigError(str(out), [f"it cannot be written: {error.strerror or error}"]) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _check(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(str(out), ["it is there already and not empty; name a new folder, or remove it first"])


def _sync(path: Path) -> None:
    """Have what was written on the disk before the folder gets its name."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
