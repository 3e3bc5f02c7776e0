"""A folder by another name is the same folder, to the stream and to the audit."""

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from pyspark.sql import SparkSession
from rich.console import Console

from clickscore.errors import CheckpointError
from clickscore.reconciliation import audit


def test_folder_by_another_name_is_not_read_again_and_one_that_was_moved_needs_a_link(
    spark: SparkSession, shop: Any, make_click: Callable[..., dict[str, Any]]
) -> None:
    def read_from(name: str) -> None:
        shop.set(source={"kind": "folder", "path": str(shop.home / name)})

    def audited() -> bool:
        return audit.run(shop.config, lambda: spark, Console(file=StringIO()), None, None)

    (shop.home / "link").symlink_to(shop.landing)
    read_from("link")
    shop.land("a.jsonl", make_click(1))
    shop.run(spark)
    moved = shop.landing.rename(shop.home / "moved")
    read_from("moved")
    for look in (lambda: shop.run(spark), audited):
        with pytest.raises(CheckpointError, match=rf"\(ln -s {moved} {shop.home}/landing\).* new checkpoint"):
            look()
    (shop.home / "landing").symlink_to("moved")
    shop.land("b.jsonl", make_click(2))
    shop.run(spark)
    assert shop.scored["source"].tolist() == [f"file:{shop.home}/landing/{name}.jsonl" for name in "ab"]
    assert audited()
