import pytest

from clickscore.config.record_path import Match, Step, parse_path, path_text


@pytest.mark.parametrize(("text", "steps"), [
    ("messageId", ("messageId",)),
    ("context.page.url", ("context", "page", "url")),
    ("properties.products[0].sku", ("properties", "products", 0, "sku")),
    ("tags[2]", ("tags", 2)),
    ("matrix[0][1]", ("matrix", 0, 1)),
    ("event_params[key=page_location].value.string_value",
     ("event_params", Match("key", "page_location"), "value", "string_value")),
    ('params[key="page.url"].value', ("params", Match("key", "page.url"), "value")),
    ('"event.time"', ("event.time",)),
    ('properties."$current_url"', ("properties", "$current_url")),
    ("properties.$current_url", ("properties", "$current_url")),
    ("traits.'First Name'", ("traits", "First Name")),
    ("a.`b.c`.d", ("a", "b.c", "d")),
    ('a["b c"].d', ("a", "b c", "d")),
    ("Straße.page-url", ("Straße", "page-url")),
])  # fmt: skip
def test_path_has_its_steps(text: str, steps: tuple[Step, ...]) -> None:
    assert parse_path(text) == steps


@pytest.mark.parametrize(("text", "why"), [
    ("", "ends as one at character 1"),
    ("a..b", "ends as one at character 2"),
    ("a.", "ends as one at character 2"),
    (".a", "ends as one at character 1"),
    ("a b", "ends as one at character 2"),
    ('a"b"', "ends as one at character 2"),
    ("a[-1]", "ends as one at character 2"),
    ("a[b]", "ends as one at character 2"),
    ("a[0", "ends as one at character 2"),
    ("a.[0]", "ends as one at character 2"),
    ("[0].a", "name of a field at the beginning"),
    ("$.a.b", "write 'a.b' instead"),
    ("a[key=b]", "name of a field after the ]"),
    ("a.'b\"c'", "must not have quotation marks, backslashes or control characters"),
    ("a.b\\c", "must not have quotation marks, backslashes or control characters"),
    ("a[key=b][0]", "name of a field after the ]"),
])  # fmt: skip
def test_text_that_is_no_path_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_path(text)
    assert why in str(caught.value)


@pytest.mark.parametrize(("steps", "text"), [
    (("context", "page", "url"), "context.page.url"),
    (("products", 0, "unit price"), 'products[0]."unit price"'),
    (("params", Match("key", "page.url"), "value"), 'params[key="page.url"].value'),
    (("$current", "$"), "$current.$"),
    (("$", "a"), '"$".a'),
    (("a'b", Match("k", 'c"d'), "v"), "\"a'b\"[k='c\"d'].v"),
    (("Straße",), "Straße"),
])  # fmt: skip
def test_text_of_a_path_is_read_as_the_same_steps(steps: tuple[Step, ...], text: str) -> None:
    assert path_text(steps) == text
    assert parse_path(text) == steps


def test_name_that_no_text_can_have_is_no_path() -> None:
    assert path_text(("a", "")) is None
    assert path_text(("a", 'b"c')) is None
    assert path_text(("a", Match("key", "'\"`"), "b")) is None
