"""relay.yaml and policies: a config, or problems with places; no secret is ever shown."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from relay.core.config import Config
from relay.core.policy.policy import Policy
from relay.settings import load as loading
from relay.settings.load import load_config, load_policy
from relay.settings.policies import Shelf, read_policies
from relay.settings.problems import ConfigProblems
from relay.settings.providers import ProviderShelf, read_providers
from tests.unit.settings.told import CONFIG, FORMULA, POLICY

FROM_ENVIRONMENT = "hunter2-from-the-environment"
SEEDS = (
    CONFIG.encode(),
    POLICY.encode(),
    FORMULA.encode(),
    b"upstreams: {a: {url: 'smtps://u:${X}@h'}}\n",
    b"store: ${X}\nhostname: ${X}\n",
    b"a: &a [*a]\n",
    b"? {a: 1}\n: - - -\n",
    b"limits: {message_size: 12:30, errors: 010, recipients: 1e9}\n",
)
DICTIONARY = (
    b"${X}", b"file:", b": ", b"\n  - ", b"&a", b"*a", b"<<: ", b"!!", b"smtp://", b"redis://",
    b"tiers:", b"cap:", b"growth:", b"timezone:", b"headroom:", b"routes:", b"policy:", b"'", b'"',
)  # fmt: skip


@cache
def _home() -> tempfile.TemporaryDirectory[str]:
    _remember_what_is_shipped()
    return tempfile.TemporaryDirectory()


def _remember_what_is_shipped() -> None:
    """The shipped policies and providers are the same every time: reading them is all the cost."""

    @cache
    def shelf(directories: tuple[Path, ...], names: frozenset[str] | None) -> Shelf:
        return read_policies(directories, names)

    @cache
    def providers(directories: tuple[Path, ...]) -> ProviderShelf:
        return read_providers(directories)

    def read_shelf(directories: Sequence[Path], names: frozenset[str] | None = None) -> Shelf:
        return shelf(tuple(directories), names)

    loading.read_policies = read_shelf
    loading.read_providers = lambda directories: providers(tuple(directories))


def run(data: bytes) -> None:
    """As a config, and as a policy."""
    path = Path(_home().name) / "relay.yaml"
    path.write_bytes(data)
    try:
        assert isinstance(load_config(path, {"X": FROM_ENVIRONMENT}), Config)
    except ConfigProblems as problems:
        _check(problems)
    try:
        assert isinstance(load_policy(str(path)), Policy)
    except ConfigProblems as problems:
        _check(problems)


def _check(problems: ConfigProblems) -> None:
    assert problems.problems
    for problem in problems.problems:
        text = str(problem)
        assert problem.line >= 1
        assert problem.column >= 1
        assert "\n" not in text
        text.encode("utf-8")
        assert FROM_ENVIRONMENT not in text, text
