"""Trust: a model's files are judged by their description and digest before any of them is deserialised.

Loading a model can run code: a pickle runs code, a flavor imports the loader that its ``MLmodel`` names, a
``code`` folder goes onto the path. So nothing of a model is loaded before its plain text says that it is one of the few
forms which only hold numbers, or the configuration says ``trust: pickle``; and nothing is loaded whose files are not,
to the last bit, those that were registered.
"""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from clickscore.config.model import Allow
from clickscore.errors import UntrustedModelError

MLMODEL = "MLmodel"
WRITTEN_BY_THE_DOWNLOAD = "registered_model_meta"
"""MLflow adds this file to what it downloads; it is not part of the model."""

_PYFUNC = "python_function"
_COMPILED = "__pycache__"
_XGBOOST_CLASSES = ("xgboost.core.Booster", "xgboost.sklearn.XGBClassifier", "xgboost.sklearn.XGBRegressor",
                    "xgboost.sklearn.XGBRanker", "xgboost.sklearn.XGBModel")  # fmt: skip
_XGBOOST_FORMATS = ("ubj", "json")
_PATH_KEYS = ("data", "model_path", "model_data", "pickled_model", "python_model", "code", "model_code_path", "path",
              "artifact_path", "uri", "conda", "virtualenv", "model_config", "serving_input_path")  # fmt: skip


def model_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield name and place of each file of a model, in order: those that are hashed, and those that are shipped.

    Python may write ``__pycache__`` into a folder that it loads from; a model that comes with one is not trusted.
    """
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = file.relative_to(folder)
        if name.as_posix() != WRITTEN_BY_THE_DOWNLOAD and _COMPILED not in name.parts:
            yield name.as_posix(), file


def digest(folder: Path) -> str:
    """Return the SHA-256 over the names, sizes and contents of a model's files, as hexadecimal digits."""
    whole = hashlib.sha256()
    for name, file in model_files(folder):
        whole.update(f"{name}\0{file.stat().st_size}\0".encode())
        with file.open("rb") as content:
            while block := content.read(1 << 20):
                whole.update(block)
    return whole.hexdigest()


def check_digest(folder: Path, expected: str, label: str) -> None:
    """Make sure that the files are the ones that were registered.

    Raises:
        UntrustedModelError: if not.
    """
    found = digest(folder)
    if found != expected:
        raise UntrustedModelError(
            f"{label}: the files are not those that were registered: expected SHA-256 {expected[:16]}..., found "
            f"{found[:16]}.... Register the model again if the change was meant; if not, check who changed it."
        )


def check_files(folder: Path, allow: Allow, trusts_pickle: bool, label: str) -> None:
    """Make sure that loading the model runs no code but that of allowed modules.

    Args:
        folder: the model's files; only ``MLmodel`` is read, as plain YAML.
        allow: flavors and loaders that are taken.
        trusts_pickle: whether pickles and code of the model's own are taken too.
        label: the model, for the message.

    Raises:
        UntrustedModelError: with everything that is not allowed.
    """
    try:
        tree = yaml.safe_load((folder / MLMODEL).read_text(encoding="utf-8"))
        flavors = {str(name): dict(flavor) for name, flavor in tree["flavors"].items()}
        pyfunc = flavors[_PYFUNC]
    except (OSError, yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise UntrustedModelError(f"{label}: its {MLMODEL} does not describe a pyfunc model: {error!r}") from None
    problems = [f"flavor {name} is not in model.allow.flavors" for name in flavors
                if name != _PYFUNC and name not in allow.flavors]  # fmt: skip
    loader = pyfunc.get("loader_module")
    if loader not in allow.loaders:
        problems.append(f"loader_module {loader} is not in model.allow.loaders")
    problems += [f"path {path} leads out of the model's folder" for path in _escapes(tree, folder)]
    problems += [f"compiled code in {path.relative_to(folder)}" for path in folder.rglob(_COMPILED)]
    if not trusts_pickle:
        code = [*_code_in(flavors, str(loader)), *_hidden_descriptions(flavors, folder)]
        problems += [f"{what}; that needs trust: pickle in the model section" for what in code]
    if problems:
        lines = "\n".join(f"  - {problem}" for problem in problems)
        raise UntrustedModelError(f"{label} is not trusted, and nothing of it was loaded:\n{lines}")


def _escapes(tree: dict[str, Any], folder: Path) -> Iterator[str]:
    root = folder.resolve()
    for text in _paths({"flavors": tree["flavors"], "example": tree.get("saved_input_example_info")}):
        path = PurePosixPath(text)
        if path.is_absolute() or ".." in path.parts or not (folder / text).resolve().is_relative_to(root):
            yield text
    for file in folder.rglob("*"):
        if file.is_symlink() or not file.resolve().is_relative_to(root):
            yield str(file.relative_to(folder))


def _paths(tree: object, key: str = "") -> Iterator[str]:
    """Yield all texts that stand for a path in the model's folder."""
    if isinstance(tree, dict):
        for name, value in tree.items():
            # Artifacts of a custom model: {name: {path: artifacts/x, uri: where it came from}}.
            if name == "uri" and "path" in tree:
                continue
            yield from _paths(value, str(name))
    elif isinstance(tree, list):
        for value in tree:
            yield from _paths(value, key)
    elif isinstance(tree, str) and key in _PATH_KEYS:
        yield tree


def _hidden_descriptions(flavors: dict[str, Any], folder: Path) -> Iterator[str]:
    # MLflow's loaders read the description that lies beside the file they load. That must be the one that is judged
    # here: where they find none, they take the file for a pickle.
    for flavor in flavors.values():
        data = flavor.get("data")
        if data is not None and (Path(str(data)).name != str(data) or not (folder / str(data)).is_file()):
            yield f"its data {data} are not a file beside the {MLMODEL}"
    for file in folder.rglob(MLMODEL):
        if file.parent != folder:
            yield f"there is a second {MLMODEL} in {file.parent.relative_to(folder)}"


def _code_in(flavors: dict[str, Any], loader: str) -> Iterable[str]:
    """Yield what of a model can run code of its own when it is loaded."""
    for name, flavor in flavors.items():
        if flavor.get("code"):
            yield f"flavor {name} brings code of its own ({flavor['code']})"
    if loader == "mlflow.pyfunc.model":
        yield "a custom python_function is a pickle or code of the model's own"
    elif loader == "mlflow.lightgbm":
        kind = flavors.get("lightgbm", {}).get("model_class")
        if kind != "lightgbm.basic.Booster":
            yield f"LightGBM's {kind} is not saved as the text of a Booster"
    elif loader == "mlflow.xgboost":
        flavor = flavors.get("xgboost", {})
        kind, form = flavor.get("model_class", _XGBOOST_CLASSES[0]), flavor.get("model_format", "")
        if kind not in _XGBOOST_CLASSES or form not in _XGBOOST_FORMATS:
            yield f"XGBoost's {kind} in the format {form or 'unknown'} is not known to be free of code"
    elif loader == "mlflow.sklearn":
        flavor = flavors.get("sklearn", {})
        form = flavor.get("serialization_format", "pickle")
        if form != "skops":
            yield f"a scikit-learn model in the format {form} is a pickle"
        elif flavor.get("skops_trusted_types"):
            yield f"it asks to trust the types {', '.join(map(str, flavor['skops_trusted_types']))}"
    elif loader == "mlflow.onnx":
        flavor = flavors.get("onnx", {})
        named = flavor.get("providers") or []
        if any(not isinstance(provider, str) for provider in named):
            yield "its ONNX execution providers have options, which can name libraries"
        if (flavor.get("onnx_session_options") or {}).get("extra_session_config"):
            yield "it sets ONNX session entries of its own"
    else:
        yield f"{loader} is not known to load without running the model's code"
