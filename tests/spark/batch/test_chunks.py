from typing import Any

from clickscore.batch.chunks import OneVersion
from clickscore.storage.schemas import FIRST_CHUNK


def test_all_chunks_of_a_plan_get_its_version_and_no_challenger() -> None:
    version: Any = object()
    assert OneVersion(version).models_for(FIRST_CHUNK, True) == (version, None)
