"""What the ledger of erasures needs: the key under which it knows the visitors that are gone; what comes after them."""

from typing import Literal

from clickscore.config.fields import Reference, Section


class Erasure(Section):
    """For ``jobs/erase_visitors.py``, and for ``jobs/audit.py`` after it; without it, they use ``privacy.key``.

    Example::

        erasure: {key: env:CLICKSCORE_ERASURE_KEY, later: refuse}

    Attributes:
        key: reference to the key of the hashes in ``erasures``, of 32 bytes at least.
        later: what becomes of a click of an erased visitor that comes later. ``accept`` scores it as any other;
            ``refuse`` rejects it as ``erased_visitor``, and keeps nothing of it. Then the stream needs the key, too.
    """

    key: Reference
    later: Literal["accept", "refuse"] = "accept"
