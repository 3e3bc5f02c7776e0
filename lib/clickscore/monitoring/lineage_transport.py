"""How events of OpenLineage travel: a request each, with a token if one is configured."""

from typing import Any

from clickscore.config.lineage import Lineage
from clickscore.config.secrets import resolve
from clickscore.errors import ConfigError

TIMEOUT_S = 5.0
"""How long a request may take."""
_RETRIES = {"total": 1, "backoff_factor": 0.2, "status_forcelist": [500, 502, 503, 504], "allowed_methods": ["POST"]}


def connect(lineage: Lineage) -> Any:
    """Return the HTTP transport of OpenLineage's client; connects to nothing yet.

    Raises:
        ConfigError: if the client is not installed, or the token cannot be read.
    """
    try:
        # Here, because a job without lineage neither loads it nor needs it.
        from openlineage.client.transport.http import ApiKeyTokenProvider, HttpConfig, HttpTransport
    except ImportError as error:
        raise ConfigError(
            "lineage", [f"it needs the package openlineage-python: {error}. pip install 'clickscore[lineage]'"]
        ) from None
    # Without the slash, the client would put its path in the place of the address's last part.
    settings = HttpConfig(url=lineage.url.rstrip("/") + "/", timeout=TIMEOUT_S, retry=_RETRIES)
    if lineage.token:
        settings.auth = ApiKeyTokenProvider({"apiKey": resolve(lineage.token, "lineage.token")})
    return HttpTransport(settings)
