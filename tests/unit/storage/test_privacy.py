from clickscore.storage.privacy import as_properties, differences

RULES = {"visitor": "hash", "mail": "drop", "privacy.raw": "masked"}


def test_same_rules_are_the_same_properties_in_any_order() -> None:
    assert as_properties(RULES, "k1") == as_properties(dict(reversed(RULES.items())), "k1")
    assert as_properties(RULES, None).keys() < as_properties(RULES, "k1").keys()


def test_each_difference_is_named() -> None:
    ours = as_properties({**RULES, "price": "coarsen 10", "privacy.raw": "drop"}, "k2")
    assert list(differences(as_properties(RULES, "k1"), ours)) == [
        "price: the configuration says coarsen 10, the table nothing",
        "privacy.raw: the configuration says drop, the table masked",
        "the id of privacy.key is k2, the table has k1",
    ]


def test_rules_that_came_or_went_are_differences() -> None:
    rules = as_properties({"mail": "drop", "privacy.raw": "keep"}, None)
    assert "mail: the configuration says drop, the table nothing" in list(differences({}, rules))
    assert "mail: the configuration says nothing, the table drop" in list(differences(rules, {}))
    assert list(differences(rules, rules)) == list(differences({}, {})) == []
