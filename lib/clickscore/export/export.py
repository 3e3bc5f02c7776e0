"""The composition root of the export: the champion, by the stream's own checks, becomes a folder for other programs."""

import shutil
import tempfile
from pathlib import Path

import msgspec
import pyarrow as pa
from rich.console import Console

from clickscore import __version__
from clickscore.config.model import split_uri
from clickscore.config.run import Config
from clickscore.console import warn
from clickscore.embedded import manifest as files
from clickscore.embedded.manifest import TYPES, Click, Field, Manifest, Model, sha256
from clickscore.embedded.scorer import FILES, TOLERANCE, load, load_file
from clickscore.embedded.vectors import ONNX_TOLERANCE, Vector, as_lines, differences, evaluate
from clickscore.errors import ModelError
from clickscore.export.folder import whole_folder
from clickscore.export.odd_records import odd_records
from clickscore.export.onnx_trees import ConversionError, one_file, to_onnx
from clickscore.registry.registry import fetch_current
from clickscore.registry.trial import example_of, try_aside
from clickscore.registry.version import ModelVersion
from clickscore.scoring import Contract, Features, LoadedModel, read_features
from clickscore.scoring.contract import contract_of
from clickscore.scoring.feature_engine import sql_type
from clickscore.scoring.features import check_features
from clickscore.scoring.models import BOOSTER, BOOSTER_FILE, ONNX, Predict
from clickscore.scoring.outputs import OutputError, Pick, position
from clickscore.scoring.reading import readings_of


def export(config: Config, out: Path, version: str | None, console: Console) -> None:
    """Write a folder with all that a program needs to score with the champion, or with another version of it.

    Args:
        config: the run; ``click``, ``features`` and ``model`` are used.
        out: the folder, which must not be there yet, or be empty.
        version: the version; None is the one that ``model.uri`` stands for now.
        console: where the outcome goes.

    Raises:
        WiringError: if the version cannot be used, or not without MLflow; nothing is written then.
    """
    config.model.require_registered("jobs/export_model.py")
    contract = contract_of(config.click)
    features = read_features(config.features, contract.click)
    with whole_folder(out) as folder, tempfile.TemporaryDirectory(prefix="clickscore-") as place:
        model = _fetch(config, version, Path(place))
        check_features(features.schema, model.inputs, features.where)
        inputs = _fields(_exportable(model))
        try_aside(model, tuple(config.model.picks.values()), config.model.time_limit_ms / 1000)
        for doubt in model.doubts:
            warn(console, doubt)
        shutil.copyfile(config.click.ddl, folder / files.CLICK)
        shutil.copyfile(config.features, folder / files.FEATURES)
        _copy_model(model, folder)
        predict = load_file(folder / FILES[model.kind], model.kind, model.inputs.names)
        outputs = _positions(predict, model, config.model.picks)
        loaded = LoadedModel(model.inputs, predict, outputs, TOLERANCE)
        vectors = evaluate(odd_records(contract, features), contract, features, loaded)
        (folder / files.VECTORS).write_bytes(as_lines(vectors))
        without_onnx = None
        if model.kind == BOOSTER:
            try:
                _convert(folder, loaded, vectors, contract, features)
            except ConversionError as error:
                without_onnx = f"{model.label} is not converted to ONNX: {error}"
                warn(console, without_onnx)
        manifest = Manifest(
            format=files.FORMAT,
            model=Model(model.name, model.version, model.digest, model.kind),
            click=Click(
                contract.id, contract.time, contract.visitor, _fields(contract.click), readings_of(contract.click)
            ),
            inputs=inputs,
            outputs=outputs,
            without_onnx=without_onnx,
            files={file.name: sha256(file.read_bytes()) for file in sorted(folder.iterdir())},
            duckdb=_duckdb_version(),
            clickscore=__version__,
        )
        (folder / files.MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
        if found := load(folder).check():  # whoever copies the folder gets one that has been read once
            raise ModelError(
                f"{model.label} gives other scores when it scores the test vectors a second time:\n"
                + "\n".join(found[:3])
            )
    scored = sum(vector.scores is not None for vector in vectors)
    console.print(
        f"{model.label} is in {out}: {', '.join((*manifest.files, files.MANIFEST))}; {len(vectors)} test vectors, of "
        f"which it scores {scored}",
        highlight=False,
        markup=False,
    )


def _fetch(config: Config, version: str | None, place: Path) -> ModelVersion:
    if version is None:
        return fetch_current(config.model, place)
    name, _, _ = split_uri(config.model.uri)
    return fetch_current(config.model.model_copy(update={"uri": f"models:/{name}/{version}"}), place)


def _exportable(model: ModelVersion) -> pa.Schema:
    """Return the inputs of a model that can be loaded without MLflow.

    Raises:
        ModelError: if it cannot.
    """
    if model.kind not in FILES:
        raise ModelError(
            f"{model.label} cannot be exported: only MLflow can load it. What can be exported is a LightGBM Booster "
            "(for a LightGBM classifier its booster_, logged with mlflow.lightgbm.log_model) and an ONNX model; "
            "convert others with skl2onnx or onnxmltools, and register the result with mlflow.onnx.log_model"
        )
    if odd := [f"{field.name} {sql_type(field.type)}" for field in model.inputs if field.type not in TYPES.values()]:
        raise ModelError(
            f"{model.label} cannot be exported: expected inputs of the types {', '.join(TYPES)}, found {', '.join(odd)}"
        )
    return model.inputs


def _fields(schema: pa.Schema) -> tuple[Field, ...]:
    return tuple(Field(field.name, sql_type(field.type), not field.nullable) for field in schema)


def _copy_model(model: ModelVersion, folder: Path) -> None:
    if model.kind == BOOSTER:
        shutil.copyfile(model.folder / BOOSTER_FILE, folder / files.BOOSTER_FILE)
        return
    try:
        content = one_file(model.folder / "model.onnx")
    except ConversionError as error:
        raise ModelError(f"{model.label} cannot be exported: {error}") from None
    (folder / files.ONNX_FILE).write_bytes(content)


def _positions(predict: Predict, model: ModelVersion, picks: dict[str, Pick]) -> dict[str, int]:
    """Return the position of the output for each score column: other languages need not know how one is found."""
    example = example_of(model)
    if example is None:
        raise ModelError(
            f"{model.label} cannot be exported: it was logged without an input example, so nobody knows what its "
            "outputs are; log it again with input_example"
        )
    try:
        outputs = predict(example)
        return {name: position(outputs, wanted) for name, wanted in picks.items()}
    except OutputError as error:
        raise ModelError(f"{model.label}: {error}") from None


def _convert(folder: Path, loaded: LoadedModel, vectors: list[Vector], contract: Contract, features: Features) -> None:
    """Write the model as ONNX beside its own file, if it scores the test vectors alike.

    Raises:
        ConversionError: if it cannot be written as ONNX, or scores otherwise.
    """
    import lightgbm

    content = to_onnx(lightgbm.Booster(model_file=folder / files.BOOSTER_FILE))
    file = folder / files.ONNX_FILE
    file.write_bytes(content)
    try:
        predict = load_file(file, ONNX, loaded.inputs.names)
    except ModelError as error:
        file.unlink()
        raise ConversionError(str(error)) from None
    model = LoadedModel(loaded.inputs, predict, loaded.outputs, TOLERANCE)
    again = evaluate([vector.record for vector in vectors], contract, features, model)
    if found := differences(vectors, again, ONNX_TOLERANCE):
        file.unlink()
        raise ConversionError(f"{len(found)} of {len(vectors)} test vectors come out differently: {found[0]}")


def _duckdb_version() -> str:
    import duckdb

    return str(duckdb.__version__)
