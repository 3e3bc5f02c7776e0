"""How visitors move through the shop: a Markov chain of pages that each visitor's intent bends towards buying."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from shopsim.catalog import CHANNEL_INTENT, DEVICE_INTENT, Floats

Ints: TypeAlias = npt.NDArray[np.int64]

EVENTS = ("view_home", "search", "view_category", "view_product", "add_to_cart", "remove_from_cart", "view_cart",
          "checkout", "purchase")  # fmt: skip
HOME, SEARCH, CATEGORY, PRODUCT, ADD, REMOVE, CART, CHECKOUT, PURCHASE = range(len(EVENTS))
LEAVE = len(EVENTS)
"""The absorbing state: the visitor has left."""

NEEDS_CART = (REMOVE, CART, CHECKOUT, PURCHASE)
"""Events that only a visitor with something in the cart can cause."""

# Rows: where the visitor is; columns: where they go next, in the order of EVENTS, then LEAVE.
BROWSING = np.array([
    [.04, .14, .38, .14, .00, .00, .01, .00, .00, .29],
    [.02, .16, .14, .44, .00, .00, .01, .00, .00, .23],
    [.03, .07, .22, .46, .00, .00, .01, .00, .00, .21],
    [.02, .07, .18, .40, .05, .00, .02, .00, .00, .26],
    [.02, .04, .16, .36, .02, .08, .16, .02, .00, .14],
    [.03, .05, .18, .32, .02, .04, .12, .01, .00, .23],
    [.02, .03, .12, .28, .02, .14, .08, .07, .00, .24],
    [.01, .01, .04, .10, .01, .05, .16, .10, .20, .32],
    [.00, .00, .00, .00, .00, .00, .00, .00, .00, 1.0],
])  # fmt: skip
BUYING = np.array([
    [.02, .26, .34, .26, .00, .00, .04, .00, .00, .08],
    [.01, .10, .10, .70, .00, .00, .02, .00, .00, .07],
    [.01, .07, .15, .69, .00, .00, .02, .00, .00, .06],
    [.01, .06, .12, .33, .32, .00, .05, .00, .00, .11],
    [.01, .03, .07, .19, .04, .03, .38, .20, .00, .05],
    [.01, .05, .12, .40, .08, .03, .20, .04, .00, .07],
    [.01, .02, .05, .14, .03, .06, .08, .53, .00, .08],
    [.00, .00, .01, .03, .00, .02, .08, .12, .64, .10],
    [.00, .00, .00, .00, .00, .00, .00, .00, .00, 1.0],
])  # fmt: skip
ENTRY = np.array([0.42, 0.05, 0.2, 0.33])
"""Shares of the first page: home, search, category, product."""

MAX_CLICKS = 60
"""Longest session; the chain leaves long before, this only bounds the loop."""

MEAN_INTENT = -1.2
INTENT_SPREAD = 1.1
RETURNING_INTENT = 0.8
EVENING_INTENT = 0.25
"""Logits added for visitors who come back, and between 18 and 23 o'clock."""

DWELL_MEDIANS_S = np.array([9.0, 11.0, 16.0, 27.0, 4.0, 4.0, 14.0, 45.0, 20.0])
DWELL_SPREAD = 0.8
DWELL_BY_INTENT = 0.5
"""Log-scale widening of the dwell time from no intent to full intent: who wants to buy reads longer."""


@dataclass(frozen=True)
class Session:
    """The traits of many sessions, one array element each: they shape the clicks but are hidden from the feed."""

    channel: Ints
    device: Ints
    returning: npt.NDArray[np.bool_]
    intent: Floats


@dataclass(frozen=True)
class Path:
    """Where sessions went: one element per click, grouped by step, not yet ordered in time.

    Attributes:
        session: index of the session.
        event: index into ``EVENTS``.
        dwell_s: seconds spent before the click.
    """

    session: Ints
    event: Ints
    dwell_s: Floats


def intent(rng: np.random.Generator, channel: Ints, device: Ints, returning: npt.NDArray[np.bool_],
           hour: Ints) -> Floats:  # fmt: skip
    """Draw each visitor's wish to buy, between 0 and 1; channel, device, habit and hour explain a part of it."""
    logit = (
        MEAN_INTENT
        + np.asarray(CHANNEL_INTENT)[channel]
        + np.asarray(DEVICE_INTENT)[device]
        + RETURNING_INTENT * returning
        + EVENING_INTENT * ((hour >= 18) & (hour < 23))
        + INTENT_SPREAD * rng.standard_normal(channel.size)
    )
    chance: Floats = 1.0 / (1.0 + np.exp(-logit))
    return chance


def walk(rng: np.random.Generator, sessions: Session) -> Path:
    """Let every session click through the shop until it leaves.

    The chance of each next page is the mix of ``BROWSING`` and ``BUYING`` that the session's intent sets.
    A page that needs a filled cart turns into a product view while the cart is empty.
    """
    browsing, buying = BROWSING.cumsum(axis=1), BUYING.cumsum(axis=1)
    alive = np.arange(sessions.intent.size)
    state = np.searchsorted(ENTRY.cumsum(), rng.random(alive.size) * ENTRY.sum(), side="right")
    cart = np.zeros(alive.size, dtype=np.int64)
    steps: list[tuple[Ints, Ints]] = []
    for _ in range(MAX_CLICKS):
        steps.append((alive, state))
        wish = sessions.intent[alive][:, None]
        chances = browsing[state] + wish * (buying[state] - browsing[state])
        chances[:, -1] = 1.0
        state = (chances <= rng.random(alive.size)[:, None]).sum(axis=1)
        state = np.where(np.isin(state, NEEDS_CART) & (cart == 0), PRODUCT, state)
        cart = cart + (state == ADD) - (state == REMOVE)
        stays = state != LEAVE
        alive, state, cart = alive[stays], state[stays], cart[stays]
        if not alive.size:
            break
    session = np.concatenate([who for who, _ in steps])
    event = np.concatenate([what for _, what in steps])
    noise = DWELL_SPREAD * rng.standard_normal(event.size)
    dwell = DWELL_MEDIANS_S[event] * np.exp(DWELL_BY_INTENT * sessions.intent[session] + noise)
    return Path(session, event, dwell)
