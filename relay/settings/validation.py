"""The schema applied to a document: pydantic's errors become problems in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, get_args

from pydantic import ValidationError

from relay.settings.findings import Findings
from relay.settings.problems import Substituted, Wrong, masked, nearest, shown
from relay.settings.schema.fields import SecretFiles, Section
from relay.settings.yaml.document import Document, Path

S = TypeVar("S", bound=Section)
_KEY = "[key]"


def validate(
    schema: type[S], document: Document, findings: Findings, secrets: SecretFiles | None = None
) -> S | None:
    """The document as `schema`, or None where it does not fit; what is wrong in `findings`."""
    try:
        return schema.model_validate(document.data, context=secrets)
    except ValidationError as error:
        for item in error.errors(include_url=False):
            _tell(schema, document, findings, item)
        return None


def _tell(schema: type[S], document: Document, findings: Findings, item: Any) -> None:
    kind, path = item["type"], document.as_written(tuple(item["loc"]))
    if kind == "missing":
        findings.add(document.key_at(path[:-1]), f"{shown(path[-1])} is missing{_in(path[:-1])}")
    elif kind == "extra_forbidden":
        wrong = _unknown(schema, path)
        findings.add(document.key_at(path), wrong.text, wrong.hint)
    elif path and path[-1] == _KEY:
        wrong = _explained(item)
        findings.add(document.key_at(path[:-1]), wrong.text, wrong.hint)
    else:
        wrong = _explained(item)
        findings.add(document.value_at(path), _subject(path) + wrong.text, wrong.hint)


def _subject(path: Path) -> str:
    names = [step for step in path if isinstance(step, str)]
    return f"{_shown_name(names[-1])}: " if names else "the file "


def _in(path: Path) -> str:
    names = [step for step in path if isinstance(step, str)]
    return f" in {_shown_name(names[-1])}" if names else ""


def _shown_name(name: str) -> str:
    return shown(name) if isinstance(name, Substituted) else name


def _explained(item: Any) -> Wrong:
    error, value = item.get("ctx", {}).get("error"), item["input"]
    if isinstance(error, Wrong):
        return masked(error, value)
    told = "it has no value" if value is None else f"not {shown(value)}"
    context: Mapping[str, Any] = item.get("ctx", {})
    return {
        "model_type": Wrong(f"must be a mapping of keys and values ({told})"),
        "dict_type": Wrong(f"must be a mapping of keys and values ({told})"),
        "list_type": Wrong(f"must be a list ({told})", "write [ ] around it" * (value is not None)),
        "too_short": Wrong("must not be empty"),
        "too_long": Wrong(f"has more than {context.get('max_length')} entries"),
    }.get(item["type"], Wrong(item["msg"]))


def _unknown(schema: type[S], path: Path) -> Wrong:
    section = _section_at(schema, path[:-1])
    key = path[-1] if isinstance(path[-1], str) else str(path[-1])
    if section and key in section.later:
        return Wrong(f"{shown(key)} is not built yet in this version", "leave it out")
    known = keys_of(section) if section else []
    hint = nearest(key, known)
    return Wrong(f"unknown key {shown(key)}{_in(path[:-1])}", hint or f"known: {', '.join(known)}")


def keys_of(section: type[Section]) -> list[str]:
    """The keys of `section`, in the order of the manual."""
    return [field.alias or name for name, field in section.model_fields.items()]


def _section_at(annotation: Any, path: Path) -> type[Section] | None:
    """The section that `path` leads to through `annotation`."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        if not path:
            return annotation
        fields = {field.alias or name: field for name, field in annotation.model_fields.items()}
        field = fields.get(str(path[0]))
        return _section_at(field.annotation, path[1:]) if field else None
    return next(
        filter(None, (_inner(inner, annotation, path) for inner in get_args(annotation))), None
    )


def _inner(inner: Any, annotation: Any, path: Path) -> type[Section] | None:
    is_container = getattr(annotation, "__origin__", None) in {list, dict}
    if is_container and not path:
        return None
    return _section_at(inner, path[1:] if is_container else path)
