"""`init`, `dns` and `check`: everything before and around the first message."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from relay.cli.checking import check_offline, check_online
from relay.cli.context import (
    ConfigOption,
    JsonOption,
    config_path,
    fail,
    find_route,
    load_with,
    print_json,
    read_config,
)
from relay.cli.finding import Finding, Grade, problem
from relay.core.domain import normalize_domain
from relay.core.tenants.published import DnsRecord, beginnings
from relay.core.tenants.tenancy import SendingDomain
from relay.settings.manual.__main__ import config_text, dkim_key_path
from relay.settings.problems import ConfigProblems
from relay.settings.tokens import hash_token, new_token
from relay.signing.generate import KeyKind, generate_key, write_new
from relay.signing.record import KeyRecord, key_record, record_of

USERNAME = "app"
SELECTORS = (("s1", KeyKind.RSA), ("s2", KeyKind.ED25519))
_MARK: Final = {Grade.OK: "ok     ", Grade.NOTE: "note   ", Grade.PROBLEM: "PROBLEM"}


def init(
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="The new sending domain.")],
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Write a config and two DKIM keys for DOMAIN, and print the records to publish."""
    path = config or Path("relay.yaml")
    try:
        name = normalize_domain(domain)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    if os.path.lexists(path):
        fail(f"{path} is there already; add the domain to it by hand, or name another --config")
    token = new_token()
    try:
        records = _made(name, path, token)
    except OSError as error:
        fail(str(error))
    found = [_record(record) for record in records]
    found += [_record(record) for record in beginnings(name)]
    if json:
        print_json({"config": str(path), "username": USERNAME, "token": token, "records": found})
        return
    typer.echo(f"{path} written. Publish these records:\n")
    for record in records:
        typer.echo(record.zone_text())
    for begun in beginnings(name):
        typer.echo(begun.zone_text())
    typer.echo("\nPoint your application at 127.0.0.1:2525 with")
    typer.echo(f"  username  {USERNAME}\n  password  {token}\n")
    typer.echo("The password is shown this once. Then: warmup-relay check; warmup-relay serve")


def _made(name: str, path: Path, token: str) -> list[KeyRecord]:
    """The config and its keys on disk; no config where the keys cannot be made. Raises OSError."""
    text = config_text(name, secret=hash_token(token), username=USERNAME)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_new(path, text.encode())
    try:
        return _new_keys(name, path.parent)
    except OSError:
        path.unlink()
        raise


def _new_keys(name: str, home: Path) -> list[KeyRecord]:
    records = []
    for selector, kind in SELECTORS:
        key = home / dkim_key_path(name, selector)
        generate_key(key, kind)
        records.append(key_record(name, selector, key))
    return records


def _record(record: KeyRecord | DnsRecord) -> dict[str, object]:
    return {"name": record.name, "type": "TXT", "strings": list(record.strings)}


def dns(
    domain: Annotated[str, typer.Argument(metavar="DOMAIN")],
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Print the DKIM records to publish for DOMAIN, from the keys of the config."""
    settings = load_with(config, domain)
    found = settings.directory.domains[find_route(settings, domain).id.domain]
    try:
        records = _records(found)
    except (OSError, ValueError) as error:
        fail(str(error))
    if not records:
        fail(f"{found.name} has no dkim key in the config: its mail leaves unsigned")
    if json:
        print_json({"domain": found.name, "records": [_record(record) for record in records]})
        return
    for record in records:
        typer.echo(record.zone_text())


def _records(domain: SendingDomain) -> list[KeyRecord]:
    return [record_of(domain.name, entry) for entry in domain.dkim]


def check(
    config: ConfigOption = None,
    json: JsonOption = False,
    offline: Annotated[bool, typer.Option("--offline", help="Ask nobody.")] = False,
) -> None:
    """Say what is wrong with the config, policies, keys, certificates, store, upstreams and DNS."""
    path = config_path(config)
    try:
        settings = read_config(path)
    except ConfigProblems as found:
        findings = [problem("config", str(each)) for each in found.problems]
    else:
        findings = check_offline(settings)
        if not offline:
            findings += asyncio.run(check_online(settings))
    _tell(path, findings, json=json)
    raise typer.Exit(0 if all(finding.is_fine for finding in findings) else 1)


def _tell(path: Path, findings: list[Finding], *, json: bool) -> None:
    if json:
        rows = [_fields(finding) for finding in findings]
        print_json({"config": str(path), "ok": all(f.is_fine for f in findings), "checks": rows})
        return
    for title, is_online in (("Offline: files and their sense", False), ("Online: asked", True)):
        rows_of = [finding for finding in findings if finding.is_online is is_online]
        if rows_of:
            typer.echo(title)
        for finding in rows_of:
            typer.echo(f"  {_MARK[finding.grade]} {finding.part}: {finding.says}")


def _fields(finding: Finding) -> dict[str, Any]:
    told = {"part": finding.part, "ok": finding.is_fine, "grade": finding.grade.value}
    return {**told, "says": finding.says, "online": finding.is_online}


COMMANDS = (init, dns, check)
