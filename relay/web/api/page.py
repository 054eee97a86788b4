"""`/api/docs`: the OpenAPI document as a page, made on the server: no script, nothing fetched."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from html import escape
from typing import Any, Final

_STYLE: Final = """
:root { color-scheme: light dark; background: Canvas; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin: 2rem 0 .25rem; font-size: 1.1rem; }
code { font-family: ui-monospace, monospace; }
h2, td { overflow-wrap: anywhere; }
table { border-collapse: collapse; margin: .5rem 0; }
td, th { text-align: left; padding: .15rem 1rem .15rem 0; vertical-align: top; }
.method { display: inline-block; min-width: 3.5rem; font-weight: 700; }
"""

CONTENT_SECURITY: Final = (
    "default-src 'none'; style-src 'sha256-"
    + b64encode(sha256(_STYLE.encode()).digest()).decode()
    + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def page(document: dict[str, Any]) -> str:
    """The page for an OpenAPI `document`."""
    info = document["info"]
    operations = [
        _operation(method, path, told)
        for path, methods in document["paths"].items()
        for method, told in methods.items()
    ]
    schemas = [_schema(*pair) for pair in document["components"]["schemas"].items()]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(info['title'])}</title><style>{_STYLE}</style></head><body><main>"
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>"
        f"<p>{escape(info['description'])} The same for programs: "
        f'<a href="openapi.json">openapi.json</a>.</p>'
        f"{''.join(operations)}<h1>Objects</h1>{''.join(schemas)}</main></body></html>"
    )


def _operation(method: str, path: str, told: dict[str, Any]) -> str:
    rows = [
        (each["name"], f"{each['in']}: {each.get('description', '')}")
        for each in told.get("parameters", [])
    ]
    kinds = told.get("requestBody", {}).get("content", {})
    rows += [("body", f"{kind}: {_kind(content['schema'])}") for kind, content in kinds.items()]
    rows += [(code, answer["description"]) for code, answer in told["responses"].items()]
    return (
        f'<h2><span class="method">{method.upper()}</span> <code>{escape(path)}</code></h2>'
        f"<p>{escape(told.get('description', ''))}</p>{_table(rows)}"
    )


def _schema(name: str, told: dict[str, Any]) -> str:
    needed = told.get("required", [])
    rows = [
        (field, f"{_kind(of)}{' *' if field in needed else ''} {of.get('description', '')}")
        for field, of in told.get("properties", {}).items()
    ]
    return (
        f'<h2 id="{escape(name)}">{escape(name)}</h2><p>{escape(told.get("description", ""))}</p>'
        + _table(rows)
    )


def _table(rows: list[tuple[str, str]]) -> str:
    cells = [
        f'<tr><th scope="row"><code>{escape(a)}</code></th><td>{escape(b)}</td></tr>'
        for a, b in rows
    ]
    return f"<table>{''.join(cells)}</table>"


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return str(schema.get("type", "anything"))
