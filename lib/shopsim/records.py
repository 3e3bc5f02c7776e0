"""Clicks as JSON lines, and the faults that real feeds carry: malformed, duplicated and late records."""

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shopsim import behaviour, catalog
from shopsim.behaviour import Ints
from shopsim.visits import Clicks

ID_BYTES = 12

NO_PRODUCT = (behaviour.HOME, behaviour.SEARCH, behaviour.CATEGORY, behaviour.CART, behaviour.CHECKOUT,
              behaviour.PURCHASE)  # fmt: skip
PAGES = ("/", "/search", "/c/", "/p/", "/p/", "/cart", "/cart", "/checkout", "/thank-you")


@dataclass(frozen=True)
class Faults:
    """Shares of the records, between 0 and 1, that come out malformed, twice, late, or poisonous.

    A poisonous record is a click in every respect, but one of its numbers is too large for some models.
    """

    malformed: float = 0.0
    duplicate: float = 0.0
    late: float = 0.0
    poison: float = 0.0


LATE_RECORDS = 20_000
"""A late record is held back by up to this many records; its event time stays what it was."""
DUPLICATE_RECORDS = 500
"""A duplicate follows its original within this many records."""


POISON = re.compile(rb'"scroll_depth":[^,}]*')
"""What becomes 9e299 in a poisonous record: a DOUBLE, but beyond what a model that computes with 32 bits can take."""


class JsonLines:
    """Renders clicks as JSON, whole columns at a time: about a microsecond a click."""

    def __init__(self, seed: int) -> None:
        """Prepare the fragments that many clicks share; event ids depend on the seed alone."""
        self._rng = np.random.default_rng([seed, 1])
        shop = catalog.make_catalog(np.random.default_rng(seed))
        self._product = pa.array(
            f',"product_id":"P{number:04d}","category":"{catalog.CATEGORIES[kind]}","price":{price:.2f}'
            for number, (kind, price) in enumerate(zip(shop.category, shop.price, strict=True))
        )
        self._search = pa.array(f',"search_query":"{query}"' for query in catalog.SEARCHES)
        self._quantity = pa.array(["", ',"quantity":1', ',"quantity":2'])
        self._event = pa.array(f',"event_type":"{event}"' for event in behaviour.EVENTS)
        self._channel = pa.array(
            f',"channel":"{channel}"' + (f',"referrer":"{referrer}"' if referrer else "")
            for channel, referrer in zip(catalog.CHANNELS, catalog.CHANNEL_REFERRERS, strict=True)
        )
        self._device = pa.array(
            f',"device":"{device}","user_agent":"{agent}","viewport_width":{width},"viewport_height":{height}'
            for device, agent, (width, height) in zip(
                catalog.DEVICES, catalog.USER_AGENTS, catalog.VIEWPORTS, strict=True
            )
        )
        self._country = pa.array(f',"country":"{country}"' for country in catalog.COUNTRIES)
        self._returning = pa.array([',"returning":false', ',"returning":true'])
        self._page = pa.array(PAGES)

    def render(self, clicks: Clicks) -> pa.Array:
        """Return one JSON object per click, without line ends."""
        with_product = ~np.isin(clicks.event, NO_PRODUCT)
        in_category = with_product | (clicks.event == behaviour.CATEGORY)
        page_tail = np.where(with_product, clicks.product, clicks.product // catalog.PRODUCTS_PER_CATEGORY)
        adds = np.isin(clicks.event, (behaviour.ADD, behaviour.REMOVE))
        return pc.binary_join_element_wise(
            '{"event_id":"',
            self._event_ids(len(clicks)),
            '","event_time":"',
            iso_times(clicks.time_ms),
            'Z"',
            self._event.take(pa.array(clicks.event)),
            ',"visitor_id":"v',
            _text(clicks.visitor),
            '","session_id":"s',
            _text(clicks.session),
            '","page_url":"https://shop.example.com',
            self._page.take(pa.array(clicks.event)),
            _where(in_category, _text(page_tail)),
            '"',
            self._channel.take(pa.array(clicks.channel)),
            self._device.take(pa.array(clicks.device)),
            self._country.take(pa.array(clicks.country)),
            self._returning.take(pa.array(clicks.returning.astype(np.int8))),
            _where(with_product, self._product.take(pa.array(clicks.product))),
            _where(clicks.event == behaviour.SEARCH, self._search.take(pa.array(clicks.search))),
            self._quantity.take(pa.array(np.where(adds, clicks.quantity, 0))),
            ',"dwell_ms":',
            _text(clicks.dwell_ms),
            ',"scroll_depth":',
            pa.array(clicks.scroll).cast(pa.string()),
            "}",
            "",
        )

    def _event_ids(self, count: int) -> pa.Array:
        text = self._rng.bytes(ID_BYTES * count).hex().encode()
        offsets = np.arange(count + 1, dtype=np.int32) * (2 * ID_BYTES)
        return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(text))


def iso_times(time_ms: Ints) -> pa.Array:
    """Return ISO 8601 texts in UTC with milliseconds and without the zone: ``2026-03-01T12:00:00.250``."""
    return pc.binary_replace_slice(pa.array(time_ms).cast(pa.timestamp("ms")).cast(pa.string()), 10, 11, "T")


def with_faults(lines: pa.Array, faults: Faults, rng: np.random.Generator) -> pa.Array:
    """Return the lines as bytes, some of them malformed, some twice, some moved behind later ones."""
    count = len(lines)
    position = np.arange(count)
    late = rng.random(count) < faults.late
    rank = np.where(late, position + rng.integers(1, LATE_RECORDS, count), position)
    again = np.flatnonzero(rng.random(count) < faults.duplicate)
    rank = np.concatenate([rank, rank[again] + rng.integers(1, DUPLICATE_RECORDS, again.size)])
    chosen = np.concatenate([position, again])[np.argsort(rank, kind="stable")]
    lines = lines.cast(pa.binary()).take(pa.array(chosen))
    poisoned = rng.random(len(lines)) < faults.poison if faults.poison else np.zeros(len(lines), bool)
    if poisoned.any():
        changed = [POISON.sub(b'"scroll_depth":9e299', lines[int(row)].as_py()) for row in np.flatnonzero(poisoned)]
        lines = pc.replace_with_mask(lines, pa.array(poisoned), pa.array(changed, pa.binary()))
    broken = rng.random(len(lines)) < faults.malformed
    if not broken.any():
        return lines
    damaged = [_damage(lines[int(row)].as_py(), rng) for row in np.flatnonzero(broken)]
    return pc.replace_with_mask(lines, pa.array(broken), pa.array(damaged, pa.binary()))


def _damage(line: bytes, rng: np.random.Generator) -> bytes:
    damages = (
        line[: len(line) // 2],
        b"",
        b"[" + line + b"]",
        b"GET /favicon.ico 404",
        line.replace(b'"event_id"', b'"eventid"', 1),
        line.replace(b'"event_time":"20', b'"event_time":"yesterday 20', 1),
        line.replace(b'"dwell_ms":', b'"dwell_ms":"long",":', 1),
        line.replace(b"shop.example.com", b"sh\xf6p.example.com", 1),
        line.replace(b"{", b'{"event_id":"twice",', 1),
    )
    return damages[rng.integers(0, len(damages))]


def _text(numbers: Ints) -> pa.Array:
    return pa.array(numbers).cast(pa.string())


def _where(mask: "np.ndarray[tuple[int], np.dtype[np.bool_]]", texts: pa.Array) -> pa.Array:
    return pc.if_else(pa.array(mask), texts, "")
