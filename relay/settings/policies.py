"""Policy files: where they are, and what each says.

The policies that come with the relay are always the first layer; each directory of the
config lies over it, and a file replaces one of the same name below.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import relay
from relay.core.policy.policy import EXEMPT, Policy
from relay.core.policy.ramp import Ramp
from relay.core.policy.window import CalendarDay, Rolling24h
from relay.core.sources import PolicySources
from relay.settings.checks.policy import check_policy
from relay.settings.checks.walls import check_walls
from relay.settings.findings import START, Findings
from relay.settings.folders import SUFFIX, policy_files
from relay.settings.origins import policy_sources
from relay.settings.problems import Problem, Wrong, shown
from relay.settings.ramp_reading import read_ramp
from relay.settings.schema.fields import name as policy_name
from relay.settings.schema.policy import PolicySection, WindowKind
from relay.settings.schema.sticky import sticky
from relay.settings.validation import validate
from relay.settings.wall_reading import headroom_ppm, idle, provider_cap, smoothing, weekdays
from relay.settings.yaml.document import Document
from relay.settings.yaml.files import read_yaml

_FORMS: Final[dict[WindowKind, type[CalendarDay | Rolling24h]]] = {
    WindowKind.CALENDAR_DAY: CalendarDay,
    WindowKind.ROLLING_24H: Rolling24h,
}


@dataclass(slots=True)
class Shelf:
    """Every policy of some directories. `names` includes those with problems."""

    policies: dict[str, Policy] = field(default_factory=dict)
    sources: dict[str, PolicySources] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    files: list[Path] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def shipped_policies_dir() -> Path:
    """The policies that come with the relay: in the package, else (in a checkout) beside it."""
    package = Path(relay.__file__).resolve().parent
    installed = package / "_policies"
    return installed if installed.is_dir() else package.parent / "policies"


def read_policies(directories: Sequence[Path], providers: Collection[str] | None = None) -> Shelf:
    """The shipped policies with those of `directories` (that exist) laid over them.

    `providers` are the names that policies may use; None where any will do.
    """
    shelf = Shelf()
    for directory in layers(directories):
        _read_directory(directory, shelf, providers)
    return shelf


def layers(directories: Sequence[Path]) -> Iterator[Path]:
    """The shipped directory, then those of `directories`; each once."""
    done: set[Path] = set()
    for directory in (shipped_policies_dir(), *directories):
        if directory.resolve() not in done:
            done.add(directory.resolve())
            yield directory


def _read_directory(directory: Path, shelf: Shelf, providers: Collection[str] | None) -> None:
    try:
        files = policy_files(directory)
    except Wrong as wrong:
        shelf.problems.append(Problem(str(directory), *START, wrong.text))
        return
    for path in files:
        policy, document, problems = _read(path, providers)
        shelf.files.append(path)
        shelf.problems.extend(problems)
        shelf.names.add(path.stem)
        if policy and document:
            below = shelf.sources.get(policy.name)
            overrides = (*below.overrides, below.path) if below else ()
            shelf.policies[policy.name] = policy
            shelf.sources[policy.name] = replace(policy_sources(document), overrides=overrides)


def read_policy(
    path: Path, providers: Collection[str] | None = None
) -> tuple[Policy | None, list[Problem]]:
    """The policy in the file `path`; None where there are problems. Never raises.

    `providers`: see `read_policies`.
    """
    policy, _, problems = _read(path, providers)
    return policy, problems


def _read(
    path: Path, providers: Collection[str] | None
) -> tuple[Policy | None, Document | None, list[Problem]]:
    findings = Findings(str(path))
    _check_name(path, findings)
    document = read_yaml(path, findings)
    section = validate(PolicySection, document, findings) if document else None
    if document:
        check_policy(document, findings)
        check_walls(document, findings, providers)
    ramp = None
    if document and section and not findings.problems:
        ramp = read_ramp(section.ramp, document, findings)
    policy = _policy(path, section, ramp) if section and ramp else None
    return policy, document, findings.in_order()


def _check_name(path: Path, findings: Findings) -> None:
    if path.suffix != SUFFIX:
        findings.add(START, "the name of a policy file must end in .yaml")
    if path.stem == EXEMPT.name:
        findings.add(START, f"the policy name {shown(EXEMPT.name)} is reserved", "rename the file")
    try:
        policy_name(path.stem)
    except Wrong as wrong:
        findings.add(START, f"the file name {wrong.text}")


def _policy(path: Path, section: PolicySection, ramp: Ramp) -> Policy:
    return Policy(
        name=path.stem,
        description=section.description,
        source=section.source,
        ramp=ramp,
        window=_FORMS[section.window.kind](section.window.timezone, section.window.starts),
        path=str(path),
        recipients=section.recipients,
        excess=section.excess,
        sticky=sticky(section.sticky),
        providers={name: provider_cap(cap) for name, cap in section.providers.items()},
        headroom_ppm=headroom_ppm(section.headroom),
        smoothing=smoothing(section.smoothing),
        days_off=weekdays(section.days_off),
        idle=idle(section.idle),
    )
