"""The lineage section: where events of OpenLineage go."""

from typing import Annotated

from pydantic import AfterValidator

from clickscore.config.fields import Reference, Section, Text


def _address(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        # Without what was found: it may hold a login.
        raise ValueError("expected an address that begins with http:// or https://")
    if "@" in text:
        raise ValueError("expected an address without a login; name the token under lineage.token")
    return text


class Lineage(Section):
    """Who is told what each micro-batch has read and written, and with which model, as events of OpenLineage.

    Example::

        lineage:
          url:       https://marquez.example.com
          namespace: shop
          job:       score_clicks
          token:     env:LINEAGE_TOKEN

    Attributes:
        url: address of the server; events go to ``/api/v1/lineage`` below it.
        namespace: namespace of the job.
        job: name of the job there; left out, the name of the table of scored clicks.
        token: reference to the token that is sent as ``Authorization: Bearer``.
    """

    url: Annotated[Text, AfterValidator(_address)]
    namespace: Text = "clickscore"
    job: Text | None = None
    token: Reference | None = None
