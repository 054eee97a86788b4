"""One relay.yaml with its policies: the whole config, or every problem of it at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from os.path import abspath, lexists
from pathlib import Path

from relay.core.config import Config
from relay.core.policy.policy import EXEMPT, Policy
from relay.core.providers import ProviderTable
from relay.core.sources import Sources
from relay.settings.build import absolute, build_config
from relay.settings.checks.config import check_config
from relay.settings.checks.routes import check_routes
from relay.settings.checks.secrecy import check_secrecy
from relay.settings.checks.trust import check_trust
from relay.settings.findings import START, Findings
from relay.settings.loaded import Loaded
from relay.settings.matching import EACH, matches
from relay.settings.origins import RouteSources
from relay.settings.policies import Shelf, read_policies, read_policy
from relay.settings.prints import noting_reads, print_of
from relay.settings.problems import ConfigProblems, Problem, nearest, shown
from relay.settings.providers import read_providers
from relay.settings.schema.fields import SecretFiles
from relay.settings.schema.root import DEFAULT_POLICIES, ConfigSection
from relay.settings.validation import validate
from relay.settings.yaml.document import Document
from relay.settings.yaml.files import read_yaml
from relay.thrift.collector import collector_at_rest


def load_config(path: Path, env: Mapping[str, str]) -> Config:
    """The config in the file `path`, with `${NAME}` from `env`. Raises ConfigProblems."""
    return load(path, env).config


def load(path: Path, env: Mapping[str, str]) -> Loaded:
    """See `load_config`; with the positions of its keys, and what was read."""
    with collector_at_rest(), noting_reads() as stats:
        try:
            loaded = _load(path, env)
        except ConfigProblems as found:
            found.seen = print_of(stats)
            raise
    return replace(loaded, seen=print_of(stats))


def _load(path: Path, env: Mapping[str, str]) -> Loaded:
    here = Path(abspath(path))  # noqa: PTH100 - resolve() would follow links
    findings = Findings(str(path))
    document = read_yaml(here, findings, env)
    if document is None:
        raise ConfigProblems(findings.in_order(), [here])
    return loaded_from(here, document, findings)


def loaded_from(here: Path, document: Document, findings: Findings) -> Loaded:
    """What the `document` in the file `here` says. Raises ConfigProblems: `findings`, and more."""
    secrets = SecretFiles(here.parent, [])
    directories = _directories(here, document, findings)
    providers = read_providers(directories)
    shelf = read_policies(directories, None if providers.problems else providers.table.names)
    section = validate(ConfigSection, document, findings, secrets)
    check_config(document, findings)
    check_secrecy(document, here, findings)
    check_trust(document, here.parent, findings)
    check_routes(document, findings, shelf.names, shelf.policies)
    files = (here, *secrets.asked, *shelf.files, *providers.files)
    problems = findings.in_order() + shelf.problems + providers.problems
    if problems or section is None:
        raise ConfigProblems(problems, files)
    config = _config(here, section, shelf, providers.table, files)
    sources = Sources(RouteSources(document), shelf.sources, providers.sources)
    places = {key: document.key_at((key,)) for key in document.data}
    return Loaded(replace(config, sources=sources), places)


def _config(
    path: Path,
    section: ConfigSection,
    shelf: Shelf,
    providers: ProviderTable,
    files: tuple[Path, ...],
) -> Config:
    config = build_config(path, section, shelf.policies)
    return replace(config, providers=providers, files=tuple(dict.fromkeys(files)))


def _directories(path: Path, document: Document, findings: Findings) -> list[Path]:
    """The policy directories that exist, in order. Without DEFAULT_POLICIES there are none.

    Something else in its place is a fault: shipped policies would take that of its own.
    """
    data = document.data
    if not isinstance(data, dict) or "policies" not in data:
        named: list[tuple[tuple[str | int, ...], object]] = [((), DEFAULT_POLICIES)]
    else:
        named = list(matches(data, ("policies", EACH)))
    found = []
    for at, name in named:
        directory = absolute(path.parent, name) if isinstance(name, str) else None
        if directory and _is_directory(directory):
            found.append(directory)
        elif directory and (name != DEFAULT_POLICIES or lexists(directory)):
            findings.add(document.value_at(at), f"there is no directory {shown(name)}")
    return found


def _is_directory(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # such as a name that is too long
        return False


def load_policy(name_or_path: str, directories: Sequence[Path] = ()) -> Policy:
    """A policy by its name (in `directories`, else shipped) or file. Raises ConfigProblems."""
    if name_or_path == EXEMPT.name:
        return EXEMPT
    if "/" in name_or_path or name_or_path.endswith((".yaml", ".yml")):
        path = Path(name_or_path)
        policy, problems = read_policy(path, provider_names([*directories, path.parent]))
        if policy is None:
            raise ConfigProblems(problems)
        return policy
    there = [each for each in directories if _is_directory(each)]
    return _named(name_or_path, read_policies(there, provider_names(there)))


def provider_names(directories: Sequence[Path] = ()) -> frozenset[str]:
    """The mailbox providers that the data files of `directories`, and the shipped one, name."""
    return read_providers([each for each in directories if _is_directory(each)]).table.names


def _named(name: str, shelf: Shelf) -> Policy:
    policy = shelf.policies.get(name)
    theirs = [problem for problem in shelf.problems if Path(problem.file).stem == name]
    if theirs:
        raise ConfigProblems(theirs, shelf.files)
    if policy is None:
        hint = nearest(name, shelf.names) or f"known: {', '.join(sorted(shelf.names))}"
        raise ConfigProblems(
            [Problem(name, *START, f"there is no policy {shown(name)}", hint)], shelf.files
        )
    return policy
