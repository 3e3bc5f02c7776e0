"""The models of a Python worker: fetched once by each executor, checked, and loaded once for each version.

Of a model behind an endpoint there are no files but its name; what is loaded is the client that asks it.
"""

import shutil
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from pyspark import SparkFiles
from pyspark.core.broadcast import Broadcast

from clickscore.endpoint.client import Client, Connection
from clickscore.registry.trust import check_digest, digest
from clickscore.scoring.models import Predict, load
from clickscore.stream.worker_memory import spare_what_stays


@dataclass(frozen=True)
class Served:
    """A model version as the workers know it.

    Attributes:
        key: tells what the executors have apart; a version that comes back has another one.
        label: the version, for messages.
        digest: SHA-256 of its files.
        kind: how it is fed.
        files: its files as one zip, fetched by an executor when it first needs them.
        version: its version.
        connection: how its endpoint is asked, if it is behind one.
    """

    key: str
    label: str
    digest: str
    kind: str
    files: "Broadcast[bytes]"
    version: str
    connection: Connection | None = None


_loaded: dict[tuple[str, Connection | None], Predict] = {}
"""What this worker has in memory, by ``Served.key`` and ``Served.connection``.

Without the connection, a second run in one session, such as that of a notebook, would ask the address of the first.
"""


def loaded(served: Served) -> Predict:
    """Return the model in memory; it is loaded once in the life of a worker.

    Raises:
        UntrustedModelError: if the files are not those that were registered; nothing of them is loaded then.
    """
    wanted = served.key, served.connection
    if wanted not in _loaded:
        folder = _unpacked(served)
        check_digest(folder, served.digest, served.label)
        asked = Client(served.connection, served.version) if served.connection else None
        _loaded[wanted] = asked.predict if asked else load(served.kind, folder)
        spare_what_stays()
    return _loaded[wanted]


def forget(keys: Iterable[str]) -> None:
    """Let go of versions that no micro-batch will ask for any more, in memory and on the executor's disk."""
    old = set(keys)
    gone = [each for each in _loaded if each[0] in old]
    for each in gone:
        del _loaded[each]
    for key in old:
        shutil.rmtree(_folder(key), ignore_errors=True)
    if gone:
        spare_what_stays()


def _folder(key: str) -> Path:
    # The executor's own folder, which its workers share; it goes with the executor, or with the application.
    return Path(SparkFiles.getRootDirectory(), f"clickscore-model-{key}")


def _unpacked(served: Served) -> Path:
    """Return a folder with the version's files: that of the executor, or a copy of its own if that was changed."""
    folder = _folder(served.key)
    if folder.is_dir() and digest(folder) == served.digest:
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=folder.parent))
    with zipfile.ZipFile(BytesIO(served.files.value)) as archive:
        archive.extractall(aside)
    try:
        aside.rename(folder)
    except OSError:  # it is there: another worker of this executor was faster, or it was changed
        if digest(folder) != served.digest:
            return aside
        shutil.rmtree(aside)
    return folder
