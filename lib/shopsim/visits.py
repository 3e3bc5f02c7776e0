"""Sessions over time: an endless, reproducible flow of clicks in event-time order."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from shopsim import behaviour, catalog
from shopsim.behaviour import Ints
from shopsim.catalog import Floats

MS_PER_S = 1000
MS_PER_HOUR = 3_600_000

CLICKS_PER_BLOCK = 50_000
"""Clicks drawn at a time: large enough for NumPy to be fast, small enough (about 10 MB) for any machine."""

HOURLY_RHYTHM = np.array([.35, .22, .15, .12, .12, .2, .4, .65, .85, .95, 1., 1.05,
                          1.15, 1.1, 1., 1., 1.1, 1.25, 1.5, 1.8, 1.9, 1.7, 1.2, .7])  # fmt: skip
"""Visits by hour of the day in UTC, relative to each other: asleep at four, busiest at eight in the evening."""

RETURNING_SHARE = 0.35
KNOWN_VISITORS = 200_000
"""Size of the population that returning visitors come from; new visitors get numbers above it."""

FAVOURITE_CATEGORY_SHARE = 0.7
"""Share of a session's product views that fall into its favourite category."""
SECOND_ITEM_SHARE = 0.12
PILOT_SESSIONS = 4_000
"""Sessions walked once at the start to learn the mean number of clicks in a session."""


@dataclass(frozen=True)
class Clicks:
    """Clicks as columns, one array element per click, in event-time order."""

    time_ms: Ints
    session: Ints
    visitor: Ints
    returning: npt.NDArray[np.bool_]
    event: Ints
    dwell_ms: Ints
    channel: Ints
    device: Ints
    country: Ints
    product: Ints
    search: Ints
    quantity: Ints
    scroll: Floats

    def __len__(self) -> int:
        return self.time_ms.size

    def take(self, chosen: Ints | npt.NDArray[np.bool_] | slice) -> "Clicks":
        """Return the chosen clicks in the chosen order."""
        return Clicks(**{field.name: getattr(self, field.name)[chosen] for field in fields(self)})

    @staticmethod
    def concat(parts: list["Clicks"]) -> "Clicks":
        """Return the parts one after the other."""
        return Clicks(**{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Clicks)})


def flow(
    seed: int, start_ms: int, clicks_per_second: float, rhythm: bool = True, shift: float = 0.0
) -> Iterator[Clicks]:  # fmt: skip
    """Yield the shop's clicks from ``start_ms`` on, block by block, for ever.

    Sessions that are still going on at the end of a block continue in the next one.

    Args:
        seed: the same seed gives the same clicks.
        start_ms: event time of the start, in milliseconds since 1970 UTC.
        clicks_per_second: mean rate in event time; the rhythm of the day swings around it.
        rhythm: whether visits follow the hours of the day.
        shift: share of the visits that a campaign brings, which the shop did not have before.
    """
    rng = np.random.default_rng(seed)
    shop = catalog.make_catalog(rng)
    mean_clicks = _mean_clicks_per_session(rng)
    weights = HOURLY_RHYTHM / HOURLY_RHYTHM.mean() if rhythm else np.ones_like(HOURLY_RHYTHM)
    window_ms = int(CLICKS_PER_BLOCK / clicks_per_second * MS_PER_S)
    sessions_per_ms = clicks_per_second / MS_PER_S / mean_clicks
    first_session, held = 0, list[Clicks]()
    while True:
        arrivals = _arrivals(rng, start_ms, window_ms, sessions_per_ms, weights)
        held.append(_visit(rng, shop, arrivals, first_session, shift))
        first_session += arrivals.size
        start_ms += window_ms
        known = Clicks.concat(held)
        done = known.time_ms < start_ms
        ready = known.take(done)
        yield ready.take(np.argsort(ready.time_ms, kind="stable"))
        held = [known.take(~done)]


def stretched(clicks: Clicks, start_ms: float, clicks_per_second: float) -> Clicks:
    """Return the clicks with event times that run evenly from ``start_ms`` at the given rate."""
    time_ms = (start_ms + np.arange(len(clicks)) * (MS_PER_S / clicks_per_second)).astype(np.int64)
    return replace(clicks, time_ms=time_ms)


def _arrivals(rng: np.random.Generator, start_ms: int, window_ms: int, per_ms: float, weights: Floats) -> Ints:
    # Thinning of a Poisson process: Lewis & Shedler 1979, Naval Research Logistics 26(3).
    candidates = rng.poisson(per_ms * window_ms * weights.max())
    arrivals = start_ms + np.sort(rng.integers(0, window_ms, candidates))
    kept = rng.random(candidates) * weights.max() < weights[_hour(arrivals)]
    visits: Ints = arrivals[kept]
    return visits


def _hour(time_ms: Ints) -> Ints:
    return time_ms // MS_PER_HOUR % len(HOURLY_RHYTHM)


def _mean_clicks_per_session(rng: np.random.Generator) -> float:
    noon = np.full(PILOT_SESSIONS, 12 * MS_PER_HOUR)
    return behaviour.walk(rng, _traits(rng, noon)).event.size / PILOT_SESSIONS


def _traits(rng: np.random.Generator, arrivals: Ints, shift: float = 0.0) -> behaviour.Session:
    channel = _draw(rng, catalog.CHANNEL_SHARES, arrivals.size)
    device = _draw(rng, catalog.DEVICE_SHARES, arrivals.size)
    returning = rng.random(arrivals.size) < RETURNING_SHARE
    if shift:  # else no number is drawn: the same seed gives the same clicks as before
        is_shifted = rng.random(arrivals.size) < shift
        channel = np.where(is_shifted, catalog.CAMPAIGN_CHANNEL, channel)
        device = np.where(is_shifted, catalog.CAMPAIGN_DEVICE, device)
        returning &= ~is_shifted
    wish = behaviour.intent(rng, channel, device, returning, _hour(arrivals))
    return behaviour.Session(channel, device, returning, wish)


def _visit(
    rng: np.random.Generator, shop: catalog.Catalog, arrivals: Ints, first_session: int, shift: float
) -> Clicks:  # fmt: skip
    traits = _traits(rng, arrivals, shift)
    path = behaviour.walk(rng, traits)
    by_session = np.argsort(path.session, kind="stable")
    session, event = path.session[by_session], path.event[by_session]
    is_first = np.diff(session, prepend=-1) > 0
    dwell_ms = np.where(is_first, 0, path.dwell_s[by_session] * MS_PER_S).astype(np.int64)
    elapsed = dwell_ms.cumsum()
    elapsed -= np.maximum.accumulate(np.where(is_first, elapsed, 0))
    visitor = np.where(
        traits.returning,
        (KNOWN_VISITORS * rng.random(arrivals.size) ** 2).astype(np.int64),
        KNOWN_VISITORS + first_session + np.arange(arrivals.size),
    )
    return Clicks(
        time_ms=arrivals[session] + elapsed,
        session=first_session + session,
        visitor=visitor[session],
        returning=traits.returning[session],
        event=event,
        dwell_ms=dwell_ms,
        channel=traits.channel[session],
        device=traits.device[session],
        country=_draw(rng, catalog.COUNTRY_SHARES, arrivals.size)[session],
        product=_products(rng, shop, session, event, is_first),
        search=rng.integers(0, len(catalog.SEARCHES), event.size),
        quantity=1 + (rng.random(event.size) < SECOND_ITEM_SHARE).astype(np.int64),
        scroll=np.round(rng.beta(1.5 + 2.0 * traits.intent[session], 2.0), 2),
    )


def _products(rng: np.random.Generator, shop: catalog.Catalog, session: Ints, event: Ints,
              is_first: npt.NDArray[np.bool_]) -> Ints:  # fmt: skip
    """Draw the product of every click; adding and removing concern the product that was viewed last."""
    kinds, each = len(catalog.CATEGORIES), catalog.PRODUCTS_PER_CATEGORY
    favourite = rng.integers(0, kinds, session.max(initial=0) + 1)[session]
    strays = rng.random(session.size) > FAVOURITE_CATEGORY_SHARE
    kind = np.where(strays, rng.integers(0, kinds, session.size), favourite)
    drawn = kind * each + _draw(rng, tuple(shop.appeal[:each]), session.size)
    position = np.arange(session.size)
    last_view = np.maximum.accumulate(np.where(event == behaviour.PRODUCT, position, -1))
    session_start = np.maximum.accumulate(np.where(is_first, position, 0))
    source = np.where(last_view >= session_start, last_view, position)
    products: Ints = drawn[source]
    return products


def _draw(rng: np.random.Generator, shares: tuple[float, ...], size: int) -> Ints:
    bounds = np.cumsum(shares)
    drawn: Ints = np.searchsorted(bounds, rng.random(size) * bounds[-1], side="right")
    return drawn
