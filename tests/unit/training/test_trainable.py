import lightgbm
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import xgboost

from clickscore.errors import ConfigError, ModelError
from clickscore.training.algorithms import LEARNERS
from clickscore.training.trainable import NOT_IN_NAMES, as_numbers, check_trainable, doubts


def problems(name: str, kind: pa.DataType, algorithm: str = "lightgbm") -> list[str]:
    with pytest.raises(ConfigError) as caught:
        check_trainable(pa.schema([(name, kind), ("good", pa.float64())]), "features.sql", algorithm)
    return caught.value.problems


@pytest.mark.parametrize(("kind", "written", "instead"), [
    (pa.timestamp("us", tz="UTC"), "TIMESTAMP", 'hour(...) AS "x"'), (pa.date32(), "DATE", 'isodow(...) AS "x"'),
    (pa.time64("us"), "TIME", 'hour(...) AS "x"'), (pa.string(), "VARCHAR", "CASE WHEN ... = 'x' THEN 1.0"),
    (pa.decimal128(9, 2), "DECIMAL(9,2)", 'CAST(... AS DOUBLE) AS "x"'),
    (pa.uint64(), "UBIGINT", 'CAST(... AS DOUBLE) AS "x"'), (pa.list_(pa.float64()), "DOUBLE[]", 'len(...) AS "x"'),
    (pa.struct([("a", pa.int32())]), 'STRUCT("a" INTEGER)', "one feature for each of its fields"),
    (pa.map_(pa.string(), pa.int32()), "MAP(VARCHAR, INTEGER)", 'len(...) AS "x"'),
    (pa.binary(), "BLOB", "an expression that is a number"), (pa.null(), "NULL", "an expression that is a number"),
    (pa.dictionary(pa.uint8(), pa.string()), "DICTIONARY", "CASE WHEN ... = 'x' THEN 1.0"),
], ids=str)  # fmt: skip
@pytest.mark.parametrize("algorithm", LEARNERS)
def test_feature_that_is_no_number_is_refused_with_what_to_write(
    kind: pa.DataType, written: str, instead: str, algorithm: str
) -> None:
    [problem] = problems("x", kind, algorithm)
    assert problem.startswith(f"x is {written}")
    assert "a model is trained on numbers: write " in problem
    assert instead in problem


@pytest.mark.parametrize("kind", [pa.bool_(), pa.int8(), pa.int64(), pa.float32(), pa.float64()], ids=str)
def test_numbers_and_booleans_are_fine(kind: pa.DataType) -> None:
    check_trainable(pa.schema([("x", kind)]), "features.sql", "lightgbm")


@pytest.mark.parametrize("name", [f"a{character}b" for character in NOT_IN_NAMES["lightgbm"]])
def test_name_that_lightgbm_refuses_or_changes_is_refused(name: str) -> None:
    assert problems(name, pa.float64()) == [
        f"{name}: lightgbm takes no {name[1]!r} in the name of a feature; give it another name"
    ]
    data = lightgbm.Dataset(pd.DataFrame({name: [0.0, 1.0]}), [0, 1], params={"verbosity": -1})
    try:
        text = lightgbm.train({"verbosity": -1}, data, 1).model_to_string()
        assert lightgbm.Booster(model_str=text).feature_name() != [name]
    except lightgbm.basic.LightGBMError as error:
        assert "special JSON characters" in str(error) or "feature_names" in str(error)


@pytest.mark.parametrize("name", [f"a{character}b" for character in NOT_IN_NAMES["xgboost"]])
def test_name_that_xgboost_refuses_is_refused(name: str) -> None:
    assert len(problems(name, pa.float64(), "xgboost")) == 1
    with pytest.raises(ValueError, match="may not contain"):
        xgboost.DMatrix(pd.DataFrame({name: [0.0, 1.0]}))


@pytest.mark.parametrize("name", ["a.b", "Größe", "a'b", "a`b", "a-b", "a(b)", "a\tb", "$", "价格"])
def test_other_names_reach_both_learners_as_they_are(name: str) -> None:
    for algorithm, learner in LEARNERS.items():
        check_trainable(pa.schema([(name, pa.float64())]), "features.sql", algorithm)
        frame = pd.DataFrame({name: np.arange(400) % 2 * 1.0})
        assert list(learner.gain(learner.fit(frame, frame[name].to_numpy())).index) == [name]


@pytest.mark.parametrize("name", ["_label", "_visit_start", "_score", "_version", "_visitor"])
def test_name_that_training_uses_is_refused(name: str) -> None:
    assert problems(name, pa.float64()) == [f"{name}: training uses this name itself; give the feature another one"]


def test_booleans_and_whole_numbers_with_nulls_become_floats() -> None:
    frame = pd.DataFrame({"b": pd.Series([True, None, False], dtype=object), "n": [1, 2, 3], "e": [None, None, None]})
    found = as_numbers(frame, "lightgbm")
    assert set(found.dtypes) == {np.dtype("float64")}
    assert found["b"].tolist()[::2] == [1.0, 0.0]
    assert found.isna().sum().tolist() == [1, 0, 3]


def test_infinity_is_refused_where_the_learner_does_not_take_it() -> None:
    frame = pd.DataFrame({"ratio": [1.0, np.inf], "price": [1.0, np.nan]})
    assert np.isinf(as_numbers(frame, "lightgbm")["ratio"][1])
    with pytest.raises(ModelError, match=r"ratio: infinite in some clicks, .* write a / nullif\(b, 0\)"):
        as_numbers(frame, "xgboost")


def test_features_that_tell_nothing_are_named() -> None:
    frame = pd.DataFrame({"gone": [np.nan] * 3, "same": [0.5] * 3, "rare": [1.0, np.nan, np.nan], "good": [1, 2, 3]})
    assert doubts(frame) == [
        "gone is null in every click: the model learns nothing from it. Is its field filled?",
        "same is 0.5 in every click: the model learns nothing from it",
    ]
