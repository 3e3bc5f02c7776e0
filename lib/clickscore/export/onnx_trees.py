"""A LightGBM Booster becomes an ONNX model: the same trees, with the same double precision, for other languages."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

INPUT, OUTPUT = "features", "predictions"
"""The one input, a row of doubles for each click, in the order of the Booster's features; and the one output."""

_OPSETS = (("", 17), ("ai.onnx.ml", 5))
"""The first operators of ``ai.onnx.ml`` that compare and add doubles are those of version 5."""
_IR_VERSION = 9
"""Of the file format, old enough for the runtimes of three years."""
_AT_MOST = 0
"""Mode of a node that takes the first branch where a feature is at most the split, ``BRANCH_LEQ``."""
_INFINITE = 1e300
"""What LightGBM's description of a tree says for infinity."""
_IDENTITY = ("regression", "regression_l1", "huber", "fair", "quantile", "mape")
_LOGISTIC = ("binary", "cross_entropy")
_EXPONENTIAL = ("poisson", "gamma", "tweedie")


class ConversionError(Exception):
    """Raised when a Booster does what is not written in ONNX here."""


def to_onnx(booster: Any) -> bytes:
    """Return a Booster as an ONNX model, with one input ``features`` and one output ``predictions``.

    Args:
        booster: a ``lightgbm.Booster`` of numbers, null where a feature is NaN.

    Raises:
        ConversionError: if it splits on categories, takes 0 for null, has linear leaves, or an objective whose scores
            are another function of the trees' sum; or if the package that writes ONNX is missing.
    """
    helper = _onnx().helper
    double = _onnx().TensorProto.DOUBLE
    model = booster.dump_model()
    if model.get("pandas_categorical"):
        raise ConversionError("its features are categories of pandas")
    targets = model["num_tree_per_iteration"]
    ensemble = _Ensemble()
    for number, tree in enumerate(model["tree_info"]):
        ensemble.add_tree(tree["tree_structure"], number % targets)
    iterations = len(model["tree_info"]) // targets
    scale = 1.0 / iterations if model.get("average_output") else 1.0
    nodes = [ensemble.node(targets), *_scores(model.get("objective", "custom"), scale)]
    count = len(booster.feature_name())
    graph = helper.make_graph(
        nodes, "booster", [helper.make_tensor_value_info(INPUT, double, [None, count])],
        [helper.make_tensor_value_info(OUTPUT, double, [None, targets])],
    )  # fmt: skip
    opsets = [helper.make_opsetid(*opset) for opset in _OPSETS]
    content: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION).SerializeToString()
    return content


def _scores(objective: str, scale: float) -> list[Any]:
    """Return the nodes that make scores of the sums of the trees."""
    helper = _onnx().helper
    name, *settings = objective.split()
    if name == "binary":
        scale *= float(dict(setting.split(":") for setting in settings)["sigmoid"])
    if name in _LOGISTIC:
        function = helper.make_node("Sigmoid", ["scaled"], [OUTPUT])
    elif name == "multiclass":
        function = helper.make_node("Softmax", ["scaled"], [OUTPUT], axis=1)
    elif name in _EXPONENTIAL:
        function = helper.make_node("Exp", ["scaled"], [OUTPUT])
    elif name in _IDENTITY and "sqrt" not in settings:
        function = helper.make_node("Identity", ["scaled"], [OUTPUT])
    else:
        raise ConversionError(f"its objective is {objective}")
    factor = helper.make_tensor("factor", _onnx().TensorProto.DOUBLE, [], [scale])
    return [helper.make_node("Constant", [], ["scale"], value=factor),
            helper.make_node("Mul", ["sums", "scale"], ["scaled"]), function]  # fmt: skip


@dataclass
class _Ensemble:
    """The nodes and leaves of all trees, as ``TreeEnsemble`` lists them: each branch is a number in one of the two."""

    roots: list[int] = field(default_factory=list)
    features: list[int] = field(default_factory=list)
    splits: list[float] = field(default_factory=list)
    nulls: list[int] = field(default_factory=list)
    branches: list[list[tuple[int, int]]] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)

    def add_tree(self, tree: dict[str, Any], target: int) -> None:
        """Add a tree whose leaves count for one output."""
        self.roots.append(len(self.features))
        if "split_feature" in tree:
            self._add(tree, target)
        else:  # a leaf alone stands at both branches of a node
            leaf = self._add(tree, target)
            self._add_node(0, 0.0, False, [leaf, leaf])

    def _add(self, tree: dict[str, Any], target: int) -> tuple[int, int]:
        """Return the number of a node or leaf, and 1 for a leaf."""
        if "split_feature" not in tree:
            if tree.get("leaf_coeff"):
                raise ConversionError("its leaves are linear functions")
            self.weights.append(tree["leaf_value"])
            self.targets.append(target)
            return len(self.weights) - 1, 1
        if tree["decision_type"] != "<=":
            raise ConversionError("it splits on categories")
        if tree["missing_type"] == "Zero":
            raise ConversionError("it takes 0 for null")
        # A feature that was never null in training counts as 0 where it is.
        has_nulls, split = tree["missing_type"] == "NaN", _split(tree["threshold"])
        branches: list[tuple[int, int]] = []
        number = self._add_node(
            tree["split_feature"], split, tree["default_left"] if has_nulls else split >= 0, branches
        )
        branches += [self._add(tree["left_child"], target), self._add(tree["right_child"], target)]
        return number, 0

    def _add_node(self, feature: int, split: float, is_left_for_null: bool, branches: list[tuple[int, int]]) -> int:
        self.features.append(feature)
        self.splits.append(split)
        self.nulls.append(int(is_left_for_null))
        self.branches.append(branches)
        return len(self.features) - 1

    def node(self, targets: int) -> Any:
        """Return the operator: ``features`` to the ``sums`` of each output's leaves."""
        helper, numpy_helper = _onnx().helper, _onnx().numpy_helper
        (left, is_left_leaf), (right, is_right_leaf) = (
            zip(*side, strict=True) for side in zip(*self.branches, strict=True)
        )
        return helper.make_node(
            "TreeEnsemble", [INPUT], ["sums"], domain="ai.onnx.ml", n_targets=targets, tree_roots=self.roots,
            nodes_featureids=self.features, nodes_splits=numpy_helper.from_array(np.array(self.splits, np.float64)),
            nodes_modes=numpy_helper.from_array(np.full(len(self.features), _AT_MOST, np.uint8)),
            nodes_missing_value_tracks_true=self.nulls, nodes_truenodeids=left, nodes_trueleafs=is_left_leaf,
            nodes_falsenodeids=right, nodes_falseleafs=is_right_leaf, leaf_targetids=self.targets,
            leaf_weights=numpy_helper.from_array(np.array(self.weights, np.float64)),
        )  # fmt: skip


def _split(threshold: float) -> float:
    return np.copysign(np.inf, threshold).item() if abs(threshold) >= _INFINITE else threshold


def one_file(file: Path) -> bytes:
    """Return an ONNX model as one file: MLflow keeps the numbers of large ones in a second one.

    Raises:
        ConversionError: if the package that reads it is missing.
    """
    onnx = _onnx()
    return bytes(onnx.load(file).SerializeToString())


def _onnx() -> Any:
    """Return the module ``onnx``, which only the export needs."""
    try:
        import onnx
    except ModuleNotFoundError:
        raise ConversionError("the Python package onnx is missing: pip install 'clickscore[export]'") from None
    return onnx
