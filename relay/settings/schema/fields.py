"""The kinds of values that a key can have: how each is read, and what the manual calls it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainValidator, ValidationInfo

from relay.core.domain import is_selector
from relay.core.tenants.tenancy import IPNetwork
from relay.settings.addresses import (
    Address,
    parse_address,
    parse_domain,
    parse_nameserver,
    parse_network,
    parse_origin,
    parse_tenant_network,
)
from relay.settings.problems import Substituted, Wrong, nearest, shown
from relay.settings.units import duration_text, parse_duration, parse_size, size_text
from relay.settings.yaml.files import read_text
from relay.settings.yaml.scalars import resolve

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z", re.ASCII)
_SECRET_FILE_BYTES = 65_536
_MOST = 10**12

E = TypeVar("E", bound=StrEnum)


class Section(BaseModel):
    """A mapping in a file. `later` are keys that the design has and this version has not."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)
    later: ClassVar[frozenset[str]] = frozenset()


@dataclass(slots=True)
class SecretFiles:
    """Where `file:` begins from, and every file that was asked for."""

    base: Path
    asked: list[Path]


@dataclass(frozen=True, slots=True)
class Kind:
    """What the manual calls the values of a field, and how it writes one as YAML."""

    name: str
    text: Callable[[Any], str] | None = None


def parsed(parse: Callable[[str], Any], *, numbers: bool = False) -> PlainValidator:
    """Read by `parse`, which raises Wrong. With `numbers`, a whole number is text enough."""

    def check(value: object) -> Any:
        if numbers and isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str):
            raise _not_text(value, parse)
        return parse(value)

    return PlainValidator(check)


def _not_text(value: object, parse: Callable[[str], Any]) -> Wrong:
    """What is wrong with `value`. Quotes are advised only where `parse` takes it in quotes."""
    if value is None:
        return Wrong("has no value")
    if isinstance(value, list | dict):
        return Wrong(f"must be text, not {shown(value)}")
    try:
        parse(shown(value))
    except Wrong as wrong:
        return wrong
    return Wrong(f"must be text, not {shown(value)}", f'put it in quotes: "{shown(value)}"')


def one_of(choices: type[E], *later: str) -> PlainValidator:
    """A member of `choices`; `later` are values that are not built yet."""
    names = [choice.value for choice in choices if choice.value not in later]

    def check(value: str) -> E:
        if value in later:
            raise Wrong(
                f"{shown(value)} is not built yet in this version", f"use {' or '.join(names)}"
            )
        if value not in names:
            told = f"{shown(value)} is not {choice_text(choices, *later)}"
            raise Wrong(told, nearest(value, names))
        return choices(value)

    return parsed(check)


def choice_text(choices: type[StrEnum], *later: str) -> str:
    """`a`, `a or b`, `a, b or c`; without those of `later`."""
    *most, last = [choice.value for choice in choices if choice.value not in later]
    return f"{', '.join(most)} or {last}" if most else last


def whole(least: int, most: int = _MOST) -> tuple[PlainValidator, Kind]:
    """A whole number from `least` to `most`; where a key sets no `most`, the manual has none."""

    def check(value: object) -> int:
        number = resolve(value) if isinstance(value, Substituted) else value
        if isinstance(number, bool) or not isinstance(number, int):
            raise Wrong(
                "has no value" if number is None else f"{shown(value)} is not a whole number"
            )
        if not least <= number <= most:
            raise Wrong(f"{shown(value)} is not between {least} and {most}")
        return number

    bounds = f"at least {least}" if most == _MOST else f"{least} to {most}"
    return PlainValidator(check), Kind(f"whole number, {bounds}")


def _truth(value: object) -> bool:
    truth = resolve(value) if isinstance(value, Substituted) else value
    if not isinstance(truth, bool):
        raise Wrong("has no value" if truth is None else f"{shown(value)} is not true or false")
    return truth


def text(value: str) -> str:
    """Any text but none. Raises Wrong."""
    if not value.strip():
        raise Wrong("is empty")
    return str(value)


def name(value: str) -> str:
    """A name that can stand in ids, metrics and file names. Raises Wrong."""
    if not _NAME.match(value):
        raise Wrong(f"{shown(value)} is not a name: use up to 64 letters, digits, '.', '_' and '-'")
    return str(value)


def _selector(value: str) -> str:
    if not is_selector(value):
        told = f"{shown(value)} is not a DKIM selector, such as s1"
        raise Wrong(told, "use letters, digits, '-', '_' and '.'")
    return str(value)


def username(value: str) -> str:
    """What a client gives as its user. Raises Wrong."""
    if not value.isprintable() or not 0 < len(value) <= 255 or value != value.strip():
        raise Wrong(
            f"{shown(value)} is not a user name: 1 to 255 characters, no control characters"
        )
    return str(value)


def _secret(value: object, info: ValidationInfo) -> str:
    if not isinstance(value, str):
        raise _not_text(value, text)
    if value.startswith("file:"):
        assert isinstance(info.context, SecretFiles)
        value = _from_file(value.removeprefix("file:"), info.context)
    return text(value)


def _from_file(where: str, files: SecretFiles) -> str:
    path = files.base / where
    files.asked.append(path)
    try:
        return read_text(path, _SECRET_FILE_BYTES).strip()
    except Wrong as wrong:
        raise Wrong(f"{shown(f'file:{where}')}: {wrong.text}") from None


def as_list(value: object) -> object:
    """One text where a list of them may stand."""
    return [value] if isinstance(value, str) else value


def present(value: object) -> object:
    """A mapping that may be left out, but not be written without a value. Raises Wrong."""
    if value is None:
        raise Wrong("must be a mapping of keys and values (it has no value)")
    return value


Text = Annotated[str, parsed(text), Kind("text")]
Name = Annotated[str, parsed(name), Kind("name")]
Username = Annotated[str, parsed(username), Kind("text")]
Selector = Annotated[str, parsed(_selector), Kind("DKIM selector")]
FilePath = Annotated[str, parsed(text), Kind("file path")]
OptionalFilePath = Annotated[str | None, parsed(text), Kind("file path")]
Secret = Annotated[str, PlainValidator(_secret), Kind("secret, or file:PATH")]
OptionalSecret = Annotated[str | None, PlainValidator(_secret), Kind("secret, or file:PATH")]
Domain = Annotated[str, parsed(parse_domain), Kind("domain name")]
Origin = Annotated[str, parsed(parse_origin), Kind("origin")]
SocketAddress = Annotated[Address, parsed(parse_address), Kind("host:port", lambda a: f'"{a}"')]
NameserverAddress = Annotated[
    Address, parsed(parse_nameserver), Kind("IP address:port", lambda a: f'"{a}"')
]
Network = Annotated[IPNetwork, parsed(parse_network), Kind("network", lambda n: f'"{n}"')]
TenantNetwork = Annotated[
    IPNetwork, parsed(parse_tenant_network), Kind("network", lambda n: f'"{n}"')
]
Duration = Annotated[float, parsed(parse_duration, numbers=True), Kind("duration", duration_text)]
Size = Annotated[int, parsed(parse_size, numbers=True), Kind("size", size_text)]
Truth = Annotated[bool, PlainValidator(_truth), Kind("true or false")]
Present = BeforeValidator(present)
OneOrMore = BeforeValidator(as_list)
"""For a list: one value may stand for a list of one."""
