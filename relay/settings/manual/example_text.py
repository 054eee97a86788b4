"""A documented relay.yaml from the schema and the values that it is to have.

A key that has a value stands as it is; one that has none stands commented out with its
default: `#key: value`. Descriptions are comments that begin with a space: `# text`.
"""

from __future__ import annotations

import json
import re
from enum import StrEnum
from textwrap import wrap
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo

from relay.settings.schema.fields import Kind, Section
from relay.settings.yaml.scalars import resolve

_WIDTH = 96
_PLAIN = re.compile(r"[A-Za-z0-9./][A-Za-z0-9 _./+-]*\Z", re.ASCII)


class Bare(dict[str, Any]):
    """Values that are shown without comments and without the keys that have no value."""


class Off(dict[str, Any]):
    """Values that are shown commented out."""


def section_text(
    section: type[Section], values: dict[str, Any], *, spaced: bool = False
) -> list[str]:
    """The lines of one mapping, not indented. `spaced`: an empty line before every key."""
    lines: list[str] = []
    for name, field in section.model_fields.items():
        key = field.alias or name
        if isinstance(values, Bare) and key not in values:
            continue
        lines += [""] * spaced
        lines += [] if isinstance(values, Bare) else _comment(field.description or "")
        if key in values:
            lines += _entry(key, field, values[key])
        else:
            lines += _off(_entry(key, field, None))
    return lines


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in wrap(text, _WIDTH, break_on_hyphens=False)]


def _off(lines: list[str]) -> list[str]:
    return [f"#{line}" for line in lines]


def _indented(lines: list[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def _entry(key: str, field: FieldInfo, value: Any) -> list[str]:
    """`key: value` with everything below it; None stands for the default."""
    section = section_in(field.annotation)
    if section is None or isinstance(value, str | int):
        return [f"{key}: {default_text(field) if value is None else yaml_text(value)}"]
    if get_origin(field.annotation) is list:
        return [f"{key}:", *_items(section, [{}] if value is None else value)]
    if get_origin(field.annotation) is dict:
        return _mapping(key, section, value or {})
    inner = section_text(section, _sample(section) if value is None else value)
    return [f"{key}:", *_indented(inner)]


def _mapping(key: str, section: type[Section], values: dict[str, Any]) -> list[str]:
    if not values:
        return [f"{key}: {{}}"]
    lines = [f"{key}:"]
    for name, inner in values.items():
        entry = [f"{yaml_text(name)}:", *_indented(section_text(section, inner))]
        lines += _indented(_off(entry) if isinstance(inner, Off) else entry)
    return lines


def _items(section: type[Section], items: list[dict[str, Any]]) -> list[str]:
    lines: list[str] = []
    for number, item in enumerate(items):
        values = item or _sample(section)
        lines += _item(section_text(section, Bare(values) if number else values))
    return _indented(lines)


def _item(lines: list[str]) -> list[str]:
    first = next(at for at, line in enumerate(lines) if not line.startswith("#"))
    before = lines[:first]
    return [*before, f"- {lines[first]}", *_indented(lines[first + 1 :])]


def _sample(section: type[Section]) -> dict[str, Any]:
    """Values for everything, so that nothing in it is commented out twice."""
    return {field.alias or name: None for name, field in section.model_fields.items()}


def section_in(annotation: Any) -> type[Section] | None:
    """The section that a field holds: itself, or in a list or mapping."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    found = (section_in(inner) for inner in get_args(annotation))
    return next((section for section in found if section), None)


def kind_of(field: FieldInfo) -> Kind | None:
    """The kind of a field's values, or of those in its list."""
    inner = [item for arg in get_args(field.annotation) for item in _metadata(arg)]
    return next((item for item in (*field.metadata, *inner) if isinstance(item, Kind)), None)


def _metadata(annotation: Any) -> tuple[Any, ...]:
    return tuple(getattr(annotation, "__metadata__", ()))


def default_text(field: FieldInfo) -> str:
    """The field's example as YAML, else its default."""
    if field.examples:
        return str(field.examples[0])
    return value_text(field, field.get_default(call_default_factory=True, validated_data={}))


def value_text(field: FieldInfo, value: Any) -> str:
    """`value`, as the schema reads it, as YAML."""
    kind = kind_of(field)
    if isinstance(value, str | list) or kind is None or kind.text is None:
        return yaml_text(value)
    return kind.text(value)


def yaml_text(value: Any) -> str:
    """A scalar, or a list of them, on one line."""
    if isinstance(value, list):
        return f"[{', '.join(yaml_text(item) for item in value)}]"
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, str) and _PLAIN.match(value) and resolve(value) == value:
        return value
    return json.dumps(value, ensure_ascii=False)
