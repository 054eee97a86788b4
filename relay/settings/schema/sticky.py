"""The key `sticky` of a policy: what makes messages one campaign, and how long it is kept."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import Field

from relay.core.policy.policy import Sticky
from relay.settings.problems import Wrong, shown
from relay.settings.schema.fields import Kind, Section, parsed
from relay.settings.units import duration_text, parse_duration

DEFAULT_HEADER: Final = "X-Warmup-Campaign"
DEFAULT_KEEP_S: Final = 7 * 86_400

_LEAST_S: Final = 3600.0
_MOST_S: Final = 90 * 86_400.0
# RFC 5322 §3.6.8: printable ASCII without the colon; §2.1.1 bounds the line.
_FIELD_NAME = re.compile(r"[!-9;-~]{1,76}\Z", re.ASCII)


def _header(value: str) -> str:
    if not _FIELD_NAME.match(value):
        raise Wrong(f"{shown(value)} is not the name of a header field, such as {DEFAULT_HEADER}")
    return value


def _keep(value: str) -> int:
    seconds = parse_duration(value)
    if not _LEAST_S <= seconds <= _MOST_S:
        raise Wrong(f"{shown(value)} is not between 1 hour and 90 days")
    return int(seconds)


def _keep_text(seconds: int) -> str:
    days, rest = divmod(seconds, 86_400)
    return duration_text(seconds) if rest else f"{days} days"


class StickySection(Section):
    """Messages with one value in a header field are a campaign, which keeps to one route."""

    header: Annotated[str, parsed(_header), Kind("header field")] = Field(
        DEFAULT_HEADER,
        description="The field whose value names the campaign, such as X-Listmonk-Campaign or "
        f"Feedback-ID. {DEFAULT_HEADER} is removed before the message is sent, as all "
        "X-Warmup-* are. A message without the field is of no campaign.",
    )
    keep: Annotated[int, parsed(_keep, numbers=True), Kind("duration", _keep_text)] = Field(
        DEFAULT_KEEP_S,
        description="The route is kept until so long after the campaign's last message; 1 hour to "
        "90 days.",
    )


def sticky(section: StickySection | None) -> Sticky | None:
    """The rule, if there is one."""
    return None if section is None else Sticky(section.header.lower(), section.keep)
