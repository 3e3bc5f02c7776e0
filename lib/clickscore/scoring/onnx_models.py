"""ONNX models, fed without MLflow: its own wrapper knows no input of two dimensions, and no output but one column."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from clickscore.scoring.outputs import Outputs, as_outputs

_TYPES: dict[str, Any] = {
    "tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64, "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_, "tensor(string)": np.object_,
}  # fmt: skip


def load_onnx(file: Path, names: list[str]) -> Callable[[pa.StructArray], Outputs] | None:
    """Load a model.

    Args:
        file: the model.
        names: what its signature asks for.

    Returns:
        Inputs to predictions; None if the inputs of the graph are neither one matrix nor the columns of the signature.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # MLflow's own session would take all cores, for each worker.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    wanted, found = session.get_inputs(), [output.name for output in session.get_outputs()]
    if any(each.type not in _TYPES for each in wanted):
        return None
    if len(wanted) > 1 and not {each.name for each in wanted} <= set(names):
        return None

    def predict(inputs: pa.StructArray) -> Outputs:
        columns = dict(zip(inputs.type.names, inputs.flatten(), strict=True))
        feed = {}
        for each in wanted:
            of_input = list(columns.values()) if len(wanted) == 1 else [columns[each.name]]
            arrays = [_array(column, _TYPES[each.type]) for column in of_input]
            feed[each.name] = arrays[0] if len(each.shape) == 1 else np.column_stack(arrays)
        return as_outputs(dict(zip(found, session.run(None, feed), strict=True)), len(inputs))

    return predict


def _array(column: pa.Array, data_type: Any) -> Any:
    if data_type is np.object_:
        return np.array(column.to_pylist(), np.object_)
    return column.to_numpy(zero_copy_only=False).astype(data_type)
