"""The model section: which registered model scores, what is trusted, and what a model may do before it is stopped."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from clickscore.config.fields import Milliseconds, Section, Text, nearest

ModelUri = Annotated[str, Field(pattern=r"^models:/[^/@]+(@[^/@]+|/[0-9]+)$")]


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
    """What a model may be made of; the defaults are flavors of MLflow that can load without running the model's code.

    Attributes:
        names: registered models; left out, those that ``uri`` and ``challenger`` name.
        flavors: flavors of MLflow, apart from ``python_function``, which each model has.
        loaders: modules that may load a model.
    """

    names: Names = ()
    flavors: Names = ("lightgbm", "xgboost", "onnx", "sklearn")
    loaders: Names = (
        "mlflow.lightgbm", "mlflow.xgboost", "mlflow.onnx", "mlflow.sklearn", "mlflow.pyfunc.model",
    )  # fmt: skip


class Model(Section):
    """The registered model: ``models:/<name>@<alias>`` or ``models:/<name>/<version>``, and the registry it is in.

    Attributes:
        uri: the model that scores, the champion.
        registry: URI of the MLflow registry.
        poll_ms: how often the registry is asked where the alias points.
        outputs: column of ``scored_clicks`` to the output of the model that goes into it; without it, or for ``score``
            where it is not among them, the only number, or the second of two class probabilities.
        time_limit_ms: how long one call of ``predict`` may take.
        failure_limit: share of clicks that the model may fail on, beyond the first few.
        trust: whether models that run code of their own when they are loaded, such as pickles, are taken.
        allow: what a model may be made of.
        challenger: another version, or another model, that scores some visitors for comparison.
        challenger_share: share of visitors that it scores.
        challenger_time_limit_ms: how long one call of its ``predict`` may take before it is suspended.
    """

    uri: ModelUri
    registry: Text
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
        if self.challenger == self.uri:
            raise ValueError(f"challenger: {self.uri} is the champion itself; name another alias or version")
        for uri in self.uris:
            name, _, _ = split_uri(uri)
            if self.allow.names and name not in self.allow.names:
                raise ValueError(
                    f"allow.names does not have {name}, which {uri} names{nearest(name, self.allow.names)}"
                )
        return self

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

    Attributes:
        clicks: least clicks that both have scored.
        agreement: least rank correlation (Spearman) of the two scores.
        psi: greatest population stability index of the challenger's scores against the champion's.
        auc_gain: least gain of AUC, at the lower end of its 95% interval; only where outcomes are known.
        log_loss_gain: the same for the fall of log loss.
    """

    clicks: Annotated[int, Field(gt=0)] = 1_000
    agreement: Annotated[float, Field(ge=-1, le=1)] = 0.5
    psi: Annotated[float, Field(gt=0)] = 0.25
    auc_gain: float = -0.01
    log_loss_gain: float = -0.01


class Promotion(Section):
    """How a challenger becomes the champion: see ``jobs/promote_model.py``."""

    gate: Gate = Field(default_factory=Gate)
