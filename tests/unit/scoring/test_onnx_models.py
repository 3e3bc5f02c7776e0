from pathlib import Path

import onnx
import pyarrow as pa
from onnx import TensorProto, helper

from clickscore.scoring.onnx_models import load_onnx

INPUTS = pa.StructArray.from_arrays([pa.array([1.5, 2.5]), pa.array([2, 3])], ["price", "count"])


def saved(folder: Path, inputs: dict[str, tuple[int, list[int | None]]], node: onnx.NodeProto) -> Path:
    wanted = [helper.make_tensor_value_info(name, *kind) for name, kind in inputs.items()]
    found = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([node], "g", wanted, [found])
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), folder / "model.onnx"
    )
    return folder / "model.onnx"


def test_columns_are_fed_by_their_names_in_the_shape_and_type_of_each_input(tmp_path: Path) -> None:
    inputs = {"count": (TensorProto.FLOAT, [None, 1]), "price": (TensorProto.FLOAT, [None])}
    file = saved(tmp_path, inputs, helper.make_node("Mul", ["count", "price"], ["y"]))
    predict = load_onnx(file, ["price", "count"])
    assert predict is not None
    assert predict(INPUTS.slice(1, 1)).values.tolist() == [[7.5]]
    assert predict(INPUTS.slice(1, 1)).names == ("y",)


def test_one_input_gets_all_columns_as_a_matrix(tmp_path: Path) -> None:
    file = saved(tmp_path, {"x": (TensorProto.FLOAT, [None, 2])}, helper.make_node("Identity", ["x"], ["y"]))
    predict = load_onnx(file, ["price", "count"])
    assert predict is not None
    assert predict(INPUTS).values.tolist() == [[1.5, 2.0], [2.5, 3.0]]


def test_graph_with_inputs_that_the_signature_does_not_name_is_left_to_mlflow(tmp_path: Path) -> None:
    inputs = {"a": (TensorProto.FLOAT, [None, 1]), "b": (TensorProto.FLOAT, [None, 1])}
    file = saved(tmp_path, inputs, helper.make_node("Add", ["a", "b"], ["y"]))
    assert load_onnx(file, ["price", "count"]) is None


def test_graph_with_an_input_of_another_kind_is_left_to_mlflow(tmp_path: Path) -> None:
    file = saved(tmp_path, {"x": (TensorProto.FLOAT16, [None, 2])},
                 helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT))  # fmt: skip
    assert load_onnx(file, ["price", "count"]) is None
