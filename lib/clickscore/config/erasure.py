"""What the ledger of erasures needs: the key under which it knows the visitors that are gone."""

from clickscore.config.fields import Reference, Section


class Erasure(Section):
    """Only for ``jobs/erase_visitors.py``, and for ``jobs/audit.py`` after it; without it, they use ``privacy.key``.

    Example::

        erasure: {key: env:CLICKSCORE_ERASURE_KEY}

    Attributes:
        key: reference to the key of the hashes in ``erasures``, of 32 bytes at least.
    """

    key: Reference
