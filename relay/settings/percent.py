"""Shares as percent, exactly as they are written: parts of a million."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Final

from relay.core.policy.limits import PPM_OF_PERCENT, WHOLE_PPM, percent_text
from relay.settings.problems import Wrong, shown
from relay.settings.schema.fields import Kind, parsed

_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,4})?)\s?%\Z", re.ASCII)


def parse_percent(value: str) -> int:
    """Parts of a million of "50%", "12.5 %". Raises Wrong."""
    found = _PERCENT.match(value.strip())
    ppm = int(Decimal(found[1]) * PPM_OF_PERCENT) if found else 0
    if not 0 < ppm <= WHOLE_PPM:
        raise Wrong(f"{shown(value)} is not a percentage above 0 and up to 100%, such as 12.5%")
    return ppm


_PARSED: Final = parsed(parse_percent, numbers=True)
_KIND: Final = Kind("percent", percent_text)
Percent = Annotated[int, _PARSED, _KIND]
OptionalPercent = Annotated[int | None, _PARSED, _KIND]
