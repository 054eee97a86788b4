"""The certificate authorities of upstreams: a file that cannot be used is refused with the config.

A relay that runs opens an upstream anew when its `ca_file` is edited; were that to fail, there
would be none to hand its mail to.
"""

from __future__ import annotations

import ssl
from pathlib import Path as FilePath

from relay.settings.build import absolute
from relay.settings.findings import Findings
from relay.settings.matching import EACH, matches
from relay.settings.problems import shown
from relay.settings.yaml.document import Document


def check_trust(document: Document, base: FilePath, findings: Findings) -> None:
    """Add to `findings` every `ca_file` (relative to `base`) that no TLS can be based on."""
    for path, name in matches(document.data, ("upstreams", EACH, "ca_file")):
        if isinstance(name, str) and (why := _why_unusable(absolute(base, name))):
            text = f"ca_file: {shown(name)} cannot be used: {why}"
            findings.add(document.value_at(path), text, "a PEM file with at least one certificate")


def _why_unusable(file: FilePath) -> str:
    """Empty for one that can be used."""
    try:
        if not file.is_file():  # a pipe might never end
            return "there is no such file"
        ssl.create_default_context(cafile=file)
    except ssl.SSLError:
        return "it holds no certificate"
    except (OSError, ValueError) as error:
        return str(getattr(error, "strerror", None) or error)
    return ""
