"""Drives one target by coverage: atheris (libFuzzer) over the instrumented relay.

libFuzzer ends the process itself, so each run is a process of its own.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.fuzz.targets import CORPUS, target

MOST_BYTES = 4096
SLOWEST_S = 10
RSS_MB = 1024
INSTALL = "atheris is not installed: it has wheels for Linux on x86_64 only (Python 3.11 to 3.14)"


def fuzz(name: str, seconds: int, found: Path) -> None:
    """Run `name` for `seconds`; new inputs and crashes go to `found`. Does not return."""
    try:
        import atheris
    except ImportError:
        sys.exit(INSTALL)
    with atheris.instrument_imports(include=["relay"]):
        module = target(name)
    found.mkdir(parents=True, exist_ok=True)
    dictionary = found / "dictionary.txt"
    dictionary.write_text("".join(_entry(word) for word in module.DICTIONARY))
    fresh, seeds = found / "corpus", found / "seeds"
    for folder in (fresh, seeds):
        folder.mkdir(exist_ok=True)
    for number, seed in enumerate(module.SEEDS):
        (seeds / f"{number}").write_bytes(seed)
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={MOST_BYTES}",
        f"-timeout={SLOWEST_S}",
        f"-rss_limit_mb={RSS_MB}",
        f"-artifact_prefix={found}/",
        f"-dict={dictionary}",
        "-print_final_stats=1",
        "-verbosity=0",
    ]
    kept = [str(folder) for folder in (CORPUS / name,) if folder.is_dir()]
    atheris.Setup([sys.argv[0], *options, str(fresh), *kept, str(seeds)], module.run)
    atheris.Fuzz()


def _entry(word: bytes) -> str:
    return '"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n'
