"""What the shop sells and who comes: products, channels, devices, with the shares in which they occur."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]

CATEGORIES = ("shoes", "jackets", "bags", "watches", "headphones", "lamps", "books", "toys")
PRODUCTS_PER_CATEGORY = 60
MEDIAN_PRICES = (79.0, 129.0, 59.0, 189.0, 99.0, 45.0, 18.0, 29.0)
"""Median price in EUR of each category; prices within a category are log-normal around it."""
PRICE_SPREAD = 0.45

CHANNELS = ("direct", "organic", "paid_search", "social", "email", "affiliate")
CHANNEL_SHARES = (0.24, 0.34, 0.16, 0.14, 0.07, 0.05)
CHANNEL_INTENT = (0.3, 0.0, 0.2, -1.0, 0.9, -0.2)
"""Shift of a visitor's intent, in logits, by the channel they arrive through."""
CHANNEL_REFERRERS = (
    "",
    "https://www.google.com/",
    "https://www.google.com/aclk",
    "https://www.instagram.com/",
    "https://mail.example.com/spring-news",
    "https://deals.example.net/coupons",
)

DEVICES = ("mobile", "desktop", "tablet")
DEVICE_SHARES = (0.58, 0.35, 0.07)
DEVICE_INTENT = (-0.4, 0.5, 0.05)
VIEWPORTS = ((390, 844), (1536, 864), (820, 1180))
USER_AGENTS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) Version/19.1 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/148.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPad; CPU OS 18_4 like Mac OS X) Version/18.4 Safari/604.1",
)

CAMPAIGN_CHANNEL, CAMPAIGN_DEVICE = CHANNELS.index("social"), DEVICES.index("mobile")
"""How the visitors come that a campaign in a social network brings; none of them was there before."""

COUNTRIES = ("DE", "FR", "NL", "AT", "IT", "PL")
COUNTRY_SHARES = (0.42, 0.2, 0.12, 0.09, 0.1, 0.07)

SEARCHES = ("red sneakers", "gift for dad", "waterproof jacket", "noise cancelling", "desk lamp", "sale", "size 42")


@dataclass(frozen=True)
class Catalog:
    """The products on sale, one array element per product.

    Attributes:
        category: index into ``CATEGORIES``.
        price: price in EUR, two decimals.
        appeal: share of product views that fall on the product within its category; sums to one per category.
    """

    category: npt.NDArray[np.int64]
    price: Floats
    appeal: Floats


def make_catalog(rng: np.random.Generator) -> Catalog:
    """Draw the shop's products; a few of them in each category get most of the views (Zipf's law)."""
    category = np.repeat(np.arange(len(CATEGORIES)), PRODUCTS_PER_CATEGORY)
    price = np.asarray(MEDIAN_PRICES)[category] * np.exp(PRICE_SPREAD * rng.standard_normal(category.size))
    zipf = 1.0 / np.arange(1, PRODUCTS_PER_CATEGORY + 1)
    return Catalog(category, np.round(price, 2), np.tile(zipf / zipf.sum(), len(CATEGORIES)))
