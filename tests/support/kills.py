"""A kill within a process: a step is done, and nothing after it."""

from typing import Any

import pytest


class KilledError(Exception):
    """Stands for a process that is killed."""


def killed_after(patch: pytest.MonkeyPatch, place: Any, name: str) -> None:
    """Let a function of a module or a class be the last thing that is done."""
    whole = getattr(place, name)

    def until(*arguments: Any) -> None:
        whole(*arguments)
        raise KilledError

    patch.setattr(place, name, until)
