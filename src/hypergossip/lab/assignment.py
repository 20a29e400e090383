"""Options of the command line that change a configuration, such as `--set network.p=0.5`."""

import tomllib
from typing import Any

Raw = dict[str, Any]


def assign(raw: Raw, keys: tuple[str, ...], value: Any) -> Raw:
    """Returns the configuration with one option set; missing sections are created.

    Args:
        raw: The configuration.
        keys: The keys from the outermost section to the option; an entry of an array has its number as key.
        value: The value of the option.

    Raises:
        ValueError: If one of the sections already exists as an option.
    """
    key, rest = keys[0], keys[1:]
    if not rest:
        return {**raw, key: value}
    inner = raw.get(key, {})
    if isinstance(inner, list) and rest[0] in map(str, range(len(inner))):
        entries = assign({str(i): entry for i, entry in enumerate(inner)}, rest, value)
        return {**raw, key: list(entries.values())}
    if isinstance(inner, list):
        raise ValueError(
            f"{'.'.join(keys)} cannot be set: {key} is a list of {len(inner)} entries, numbered from 0; give one of "
            f"these numbers, or the whole list as {key}=[...]."
        )
    if not isinstance(inner, dict):
        raise ValueError(f"{'.'.join(keys)} cannot be set: {key} is {inner!r} and not a section.")
    return {**raw, key: assign(inner, rest, value)}


def assign_text(raw: Raw, text: str) -> tuple[Raw, tuple[str, ...]]:
    """Returns the configuration with one option set by a text such as ``network.p=0.5``, and the keys of the option.

    The value is read as TOML if it is valid TOML, and otherwise as a string.

    Raises:
        ValueError: If the text does not have the form ``key=value``, or the value is almost a number or a list.
    """
    key, equals, value = text.partition("=")
    try:
        inner: Any = tomllib.loads(f"{key} = 0")
    except tomllib.TOMLDecodeError:
        inner = 0
    if not equals or not inner:
        raise ValueError(f"{text!r} does not set an option; write key=value, such as network.p=0.5.")
    keys: tuple[str, ...] = ()
    while isinstance(inner, dict):
        name, inner = next(iter(inner.items()))
        keys = (*keys, name)
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError as error:
        parsed = _as_text(key, value.strip(), error)
    return assign(raw, keys, parsed), keys


def _as_text(key: str, value: str, error: Exception) -> str:
    """Returns a value of the command line that is not TOML, which is a string without quotes.

    Args:
        key: The option that it sets.
        value: The value.
        error: What TOML says about it.

    Raises:
        ValueError: If it was probably meant as a number, such as .1, or as a list or a table.
    """
    try:
        number = (int if value.lstrip("+-").isdigit() else float)(value) if any(map(str.isdigit, value)) else None
    except ValueError:
        number = None
    if number is not None:
        raise ValueError(f"--set {key}={value}: {value} is not how TOML writes a number; write {key}={number!r}.")
    if value.startswith(("[", "{")):
        raise ValueError(
            f"--set {key}={value}: this is not a valid list or table of TOML ({error}); write numbers as 0.1, strings "
            "in quotes, and the whole argument in the other kind of quotes."
        )
    return value
