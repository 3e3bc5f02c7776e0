"""The rules of privacy: what a field of a click becomes before it is written, as functions of Arrow columns."""

import hmac
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Context, Decimal
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any
from urllib.parse import unquote_plus

import pyarrow as pa

from clickscore.config.record_path import Step
from clickscore.scoring.reading import place_of, steps_of

DROP, HASH, TRUNCATE_IP, STRIP_QUERY, COARSEN = "drop", "hash", "truncate_ip", "strip_query", "coarsen"

_V4_BITS, _V6_BITS = 32 - 24, 128 - 48
"""Bits at the end of an address that are set to zero: it keeps a network of /24, or of /48."""
_USER = re.compile(r"^((?:[^/?#:@]*:)?//)[^/]*@")
"""User name and password of an address."""
_EXACT = Context(prec=700)
"""Digits of a double, from the largest to the smallest, do not need more."""


@dataclass(frozen=True)
class Rule:
    """What becomes of a field.

    Attributes:
        action: ``drop``, ``hash``, ``truncate_ip``, ``strip_query`` or ``coarsen``.
        names: parameters that ``strip_query`` keeps.
        step: of ``coarsen``.
    """

    action: str
    names: tuple[str, ...] = ()
    step: Decimal = Decimal(1)

    def __str__(self) -> str:
        """Write the rule in one line, the same for the same rule."""
        if self.action == COARSEN:
            return f"{self.action} {self.step.normalize():f}"
        return f"{self.action} except {', '.join(sorted(self.names))}" if self.names else self.action


def type_under(rule: Rule, kind: pa.DataType) -> pa.DataType:
    """Return the type that values have under a rule."""
    return pa.string() if rule.action == HASH else kind


def applied(rule: Rule, values: pa.Array, key: bytes) -> pa.Array:
    """Return values as a rule leaves them; null stays null.

    Args:
        rule: any but ``drop``.
        values: of a type that the rule takes, see ``rule_problems``.
        key: of the hashes.

    Returns:
        An array of ``type_under``, of the same length and in the same order.
    """
    change = _change(rule, values.type, key)
    encoded = values.dictionary_encode()  # visitors, addresses and prices come again and again
    changed = pa.array(list(map(change, encoded.dictionary.to_pylist())), type_under(rule, values.type))
    return changed.take(encoded.indices)


def _change(rule: Rule, kind: pa.DataType, key: bytes) -> Callable[[Any], Any]:
    if rule.action == HASH:
        return lambda value: hashed(value, key)
    if rule.action == TRUNCATE_IP:
        return network_of
    if rule.action == STRIP_QUERY:
        return lambda text: without_query(text, rule.names)
    as_number = float if pa.types.is_floating(kind) else int if pa.types.is_integer(kind) else Decimal
    return lambda value: as_number(coarse(value, rule.step))


def hashed(value: object, key: bytes) -> str:
    """Return HMAC-SHA-256 of a value as text, in 64 hexadecimal digits."""
    return hmac.digest(key, str(value).encode(), "sha256").hex()


def network_of(text: str) -> str:
    """Return the first address of the network that an address is in, /24 or /48; nothing for what is no address.

    An IPv4 address that is written as one of IPv6 counts as IPv4.
    """
    try:
        address = ip_address(text.strip())
    except ValueError:
        return ""
    address = getattr(address, "ipv4_mapped", None) or address
    if isinstance(address, IPv4Address):
        return str(IPv4Address(int(address) >> _V4_BITS << _V4_BITS))
    return str(IPv6Address(int(address) >> _V6_BITS << _V6_BITS))


def without_query(text: str, names: tuple[str, ...] = ()) -> str:
    """Return an address without its fragment, user and password, and without all parameters but those of some names."""
    address, _, _ = text.partition("#")
    place, _, query = address.partition("?")
    kept = [part for part in re.split("[&;]", query) if unquote_plus(part.partition("=")[0]) in names]
    return _USER.sub(r"\1", place) + (f"?{'&'.join(kept)}" if kept else "")


def coarse(value: float | Decimal, step: Decimal) -> Decimal:
    """Return the multiple of a step that is next to a number on the side of zero, exactly; infinity as it is."""
    exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if not exact.is_finite():
        return exact
    multiple = _EXACT.multiply(_EXACT.divide_int(exact, step), step)
    return _EXACT.add(multiple, Decimal(0))  # no -0, and no 0E+9, which Arrow does not take


def rule_problems(
    click: pa.Schema, rules: Mapping[str, Rule], id: str, time: str, visitor: str, has_key: bool
) -> Iterator[str]:
    """Yield what is said of fields that there are not, or that a rule cannot be applied to.

    Args:
        click: the fields of a click.
        rules: what becomes of some of them.
        id: the field that tells clicks apart.
        time: the field with the event time.
        visitor: the field that tells visitors apart.
        has_key: whether there is a key for hashes.
    """
    for name, rule in rules.items():
        where = f"privacy.fields.{name}"
        if name not in click.names:
            yield f"{where}: there is no field {name}; there are {', '.join(click.names)}"
        elif name == time:
            yield f"{where}: click.time stays as it is, as rows are found by it; remove the rule"
        elif name in (id, visitor) and rule.action != HASH:
            yield f"{where}: expected hash, as the id of a click or a visitor must tell them apart, found {rule}"
        elif wanted := _wanted(rule, click.field(name).type):
            yield f"{where}: {rule} needs {wanted}, found {click.field(name).type}"
        if rule.action == HASH and not has_key:
            yield f"{where}: hash needs a key; name one in privacy.key, such as env:CLICKSCORE_PRIVACY_KEY"
    for field in click:
        if field.name not in rules:
            for name in rules.keys() & set(click.names):
                if _holds(field, click.field(name)):
                    yield (
                        f"privacy.fields: {field.name} is read from {place_of(field)} and holds what {name} is read "
                        f"from as well; give {field.name} a rule, too, or leave it out of the click schema"
                    )


def _wanted(rule: Rule, kind: pa.DataType) -> str:
    """Return what a rule needs, if a field of this type is something else."""
    if rule.action == HASH:
        return "" if pa.types.is_string(kind) or pa.types.is_integer(kind) else "a STRING or a whole number"
    if rule.action in (TRUNCATE_IP, STRIP_QUERY):
        return "" if pa.types.is_string(kind) else "a STRING"
    if rule.action == COARSEN:
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
            return "a number"
        places = -int(rule.step.normalize().as_tuple().exponent)
        if pa.types.is_integer(kind) and places > 0:
            return "a field with decimals, as its step has some,"
        if pa.types.is_decimal(kind) and places > kind.scale:
            return f"a field with {places} decimals, as its step has them,"
    return ""


def _holds(field: pa.Field, other: pa.Field) -> bool:
    """Tell whether a field has what another one is read from, or a part of it."""
    return any(
        mine[: len(theirs)] == theirs or (theirs[: len(mine)] == mine and _reaches(field.type, theirs[len(mine) :]))
        for mine in steps_of(field)
        for theirs in steps_of(other)
    )


def _reaches(kind: pa.DataType, steps: tuple[Step, ...]) -> bool:
    """Tell whether values of a type can hold what stands at some steps within them."""
    if not steps:
        return True
    if pa.types.is_struct(kind):
        at = kind.get_field_index(steps[0]) if isinstance(steps[0], str) else -1
        return at >= 0 and _reaches(kind.field(at).type, steps[1:])
    if pa.types.is_map(kind):
        return isinstance(steps[0], str) and _reaches(kind.item_type, steps[1:])
    return pa.types.is_list(kind) and not isinstance(steps[0], str) and _reaches(kind.value_type, steps[1:])
