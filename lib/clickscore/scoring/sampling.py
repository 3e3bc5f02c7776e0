"""The sample of visitors that a challenger scores: the same on every host and with every version of a library."""

import hashlib

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_SALT = b"clickscore"
"""Hashed along with the visitor, so that the sample is not that of another experiment on the same hash."""
_HASH_BYTES = 8
_HASHES = 2 ** (8 * _HASH_BYTES)


def is_sampled(visitors: pa.Array, share: float) -> npt.NDArray[np.bool_]:
    """Tell for each visitor whether it is in the sample; null never is.

    Args:
        visitors: the id of a visitor; a value that is not text is hashed as text.
        share: part of all visitors that is in the sample, 0 to 1.
    """
    encoded = visitors.cast(pa.string()).dictionary_encode()
    chosen = np.array([_hash(visitor) < share * _HASHES for visitor in encoded.dictionary.to_pylist()] + [False])
    positions: npt.NDArray[np.int64] = encoded.indices.fill_null(len(chosen) - 1).to_numpy(zero_copy_only=False)
    result: npt.NDArray[np.bool_] = chosen[positions]
    return result


def _hash(visitor: str) -> int:
    return int.from_bytes(hashlib.blake2b(visitor.encode(), digest_size=_HASH_BYTES, key=_SALT).digest())
