"""The model section: which model scores, what is trusted, and what a model may do before it is stopped."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from clickscore.config.endpoint import Endpoint
from clickscore.config.fields import Milliseconds, Section, Text, nearest
from clickscore.errors import ConfigError

ENDPOINT = "endpoint:"
_REGISTERED = "models:/[^/@]+(@[^/@]+|/[0-9]+)"
ModelUri = Annotated[str, Field(pattern=f"^{_REGISTERED}$")]
ChampionUri = Annotated[str, Field(pattern=rf"^({_REGISTERED}|{ENDPOINT}https?://[^\s/@?#]+(/[^\s@?#]*)?)$")]
"""A registered model, or the address of an endpoint, without a user, a password or a query, which may be secrets."""
_ONLY_REGISTERED = ("registry", "poll_ms", "trust", "allow", "challenger")
"""Settings that an endpoint has no use for; the challenger's two others say nothing without it."""


def _output(value: object) -> object:
    if (isinstance(value, str) and value) or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return value
    raise ValueError(f"expected the name of an output, or its position from 0, found {value!r}")


Names = Annotated[tuple[Text, ...], Field(strict=False)]
Output = Annotated[Any, AfterValidator(_output)]
"""What of a prediction goes into a column: the output of that name, or the element at that position, from 0."""
Share = Annotated[float, Field(gt=0, le=1)]

SCORE = "score"
PICKLE: Literal["pickle"] = "pickle"


class Allow(Section):
    """Which models may be loaded; the defaults are flavors of MLflow that load without running the model's own code.

    Example::

        allow: {names: [click_propensity], flavors: [lightgbm], loaders: [mlflow.lightgbm]}

    Attributes:
        names: registered models; left out, those that ``uri`` and ``challenger`` name.
        flavors: flavors of MLflow, in addition to ``python_function``, which each model has.
        loaders: Python modules that may load a model.
    """

    names: Names = ()
    flavors: Names = ("lightgbm", "xgboost", "onnx", "sklearn")
    loaders: Names = (
        "mlflow.lightgbm", "mlflow.xgboost", "mlflow.onnx", "mlflow.sklearn", "mlflow.pyfunc.model",
    )  # fmt: skip


class Model(Section):
    """The model that scores, where it is, and what it may do before it is stopped.

    Example::

        model:
          uri:                   "models:/click_propensity@champion"
          registry:              "http://mlflow.example.com:5000"
          poll:                  3 seconds
          outputs:               {score: 1, leave: p_leave}
          time_limit:            10 seconds
          failure_limit:         0.01
          trust:                 pickle
          allow:                 {names: [click_propensity]}
          challenger:            "models:/click_propensity@challenger"
          challenger_share:      0.1
          challenger_time_limit: 2 seconds

    Example::

        model:
          uri:      "endpoint:https://models.example.com/invocations"
          endpoint: {name: click_propensity, version_header: X-Model-Version, example: conf/example.json}

    Attributes:
        uri: the model that scores every click, the champion: a registered one, or an endpoint.
        registry: URI of the MLflow registry; required for a registered model.
        endpoint: how an endpoint is asked; required for one.
        poll_ms: how often the job asks the registry which version the alias points to.
        outputs: columns of ``scored_clicks``, each with the output of the model that fills it, by name or by position
            from 0. Left out, ``score`` is the only number that the model predicts, or the second of two class
            probabilities.
        time_limit_ms: how long one call of ``predict``, or one request to an endpoint, may take.
        failure_limit: share of the clicks that the model may fail on, beyond the first ten, before the run ends.
        trust: ``pickle`` accepts models that run code of their own when they are loaded.
        allow: which models may be loaded.
        challenger: another version, or another model, that also scores some visitors, for comparison.
        challenger_share: share of the visitors that the challenger scores; it depends on the visitor alone.
        challenger_time_limit_ms: how long one call of the challenger's ``predict`` may take.
    """

    uri: ChampionUri
    registry: Text = ""
    endpoint: Endpoint | None = None
    poll_ms: Annotated[Milliseconds, Field(alias="poll")] = 3_000
    outputs: dict[Text, Output] = Field(default_factory=dict)
    time_limit_ms: Annotated[Milliseconds, Field(alias="time_limit")] = 10_000
    failure_limit: Share = 0.01
    trust: Literal["pickle"] | None = None
    allow: Allow = Field(default_factory=Allow)
    challenger: ModelUri | None = None
    challenger_share: Share = 0.1
    challenger_time_limit_ms: Annotated[Milliseconds, Field(alias="challenger_time_limit")] = 2_000

    @model_validator(mode="after")
    def _fits_together(self) -> "Model":
        if self.uri.startswith(ENDPOINT):
            return self._as_endpoint()
        if not self.registry:
            raise ValueError("registry is missing; it is the URI of the MLflow registry that has the model")
        if self.endpoint:
            raise ValueError(f"endpoint: {self.uri} is a registered model; remove the section, or name an endpoint")
        if self.challenger == self.uri:
            raise ValueError(f"challenger: {self.uri} is the champion itself; name another alias or version")
        for uri in self.uris:
            name, _, _ = split_uri(uri)
            if self.allow.names and name not in self.allow.names:
                raise ValueError(
                    f"allow.names does not have {name}, which {uri} names{nearest(name, self.allow.names)}"
                )
        return self

    def _as_endpoint(self) -> "Model":
        if not self.endpoint:
            raise ValueError("endpoint is missing; it says how the endpoint of uri is asked: name, version, inputs")
        useless = [self._key(name) for name in _ONLY_REGISTERED if name in self.model_fields_set]
        if useless:
            raise ValueError(
                f"{', '.join(useless)}: only for registered models, but uri is an endpoint, which brings one version "
                f"of one model and no files; remove {'it' if len(useless) == 1 else 'them'}"
            )
        return self

    @classmethod
    def _key(cls, name: str) -> str:
        return cls.model_fields[name].alias or name

    def require_registered(self, what: str) -> None:
        """Refuse an endpoint.

        Args:
            what: what needs a registered model, for the message.

        Raises:
            ConfigError: if the model is an endpoint.
        """
        if self.endpoint:
            needs = "needs a model of a registry, models:/<name>@<alias> or models:/<name>/<version>"
            problem = f"model.uri: {what} {needs}; found {self.uri}, whose files and versions only its owner has"
            raise ConfigError("the configuration", [problem])

    @property
    def picks(self) -> dict[str, str | int | None]:
        """Return the score columns, ``score`` first, with the output for each; None is the only one there is."""
        return {SCORE: self.outputs.get(SCORE), **self.outputs}

    @property
    def uris(self) -> tuple[str, ...]:
        """The champion's, and the challenger's if there is one."""
        return (self.uri, self.challenger) if self.challenger else (self.uri,)


def split_uri(uri: str) -> tuple[str, str | None, str | None]:
    """Return name, alias and version of a model URI, one of the last two None."""
    rest = uri.removeprefix("models:/")
    name, at, alias = rest.partition("@")
    if at:
        return name, alias, None
    name, _, version = rest.partition("/")
    return name, None, version


class Gate(Section):
    """What a challenger must show before it gets the champion's alias.

    Example::

        gate: {clicks: 2000, agreement: 0.5, psi: 0.25, auc_gain: 0.0, log_loss_gain: 0.0}

    Attributes:
        clicks: least number of clicks that both models have scored.
        agreement: least rank correlation (Spearman) of the two scores.
        psi: largest population stability index of the challenger's scores against the champion's.
        auc_gain: least gain in AUC, at the lower end of its 95% interval; needs ``outcome``.
        log_loss_gain: least decrease of the log loss, at the lower end of its 95% interval; needs ``outcome``.
    """

    clicks: Annotated[int, Field(gt=0)] = 1_000
    agreement: Annotated[float, Field(ge=-1, le=1)] = 0.5
    psi: Annotated[float, Field(gt=0)] = 0.25
    auc_gain: float = -0.01
    log_loss_gain: float = -0.01


class Promotion(Section):
    """How a challenger becomes the champion, with ``jobs/promote_model.py``.

    Example::

        promotion:
          gate: {clicks: 2000, agreement: 0.5}

    Attributes:
        gate: what the challenger must show.
    """

    gate: Gate = Field(default_factory=Gate)
