"""Configs with a fault in them, and what is told of it."""

from pathlib import Path

from relay.settings.load import load_config
from relay.settings.policies import read_policy
from relay.settings.problems import ConfigProblems

SECRET = (
    "hmac-sha256$MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
    "$MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
)
CONFIG = f"""\
hostname: relay.example.net
store: embedded
listeners:
  - address: "127.0.0.1:2525"
web:
  address: "127.0.0.1:8025"
upstreams:
  outbound:
    url: "maildir:var/outbound"
  smart:
    url: "smtp+starttls://mx.example.net"
tenants:
  acme:
    credentials:
      - username: acme
        secret: "{SECRET}"
    networks: [127.0.0.0/8]
    domains:
      news.acme.example:
        envelope_domains: [bounces.acme.example]
        dkim:
          - selector: s1
            key: s1.pem
        routes:
          - upstream: outbound
            policy: calendar-14-day
  other:
    networks: [10.0.0.0/8]
    domains:
      other.example:
        routes: [{{upstream: smart, policy: exempt}}]
log: {{level: info}}
"""
POLICY = """\
description: For tests
ramp:
  advance: calendar-days
  tiers:
    - {from: 0, cap: 50}
    - {from: 2, cap: 100}
    - {from: 5, cap: unlimited}
window: {kind: calendar-day, timezone: UTC, starts: "00:00"}
excess: defer
"""
FORMULA = """\
description: For tests
ramp:
  advance: calendar-days
  growth:
    start: 300
    factor: 1.3
    days: 21
    then: {growth: 1.35, until: 1000000}
    most: 50000
  hold_at: 90000
"""
MARK = "«"


def edited(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, old
    return text.replace(old, new)


def unmarked(text: str) -> tuple[str, list[tuple[int, int]]]:
    """The text without its marks, and where (line, column) they were."""
    places = []
    while MARK in text:
        before, _, after = text.partition(MARK)
        places.append((before.count("\n") + 1, len(before) - before.rfind("\n")))
        text = before + after
    return text, places


def config_problems(folder: Path, text: str, env: dict[str, str] | None = None):
    """Every problem of the config `text`, as (line, column, sentence with its hint)."""
    path = folder / "relay.yaml"
    path.touch(mode=0o600)  # some of them hold passwords
    path.write_text(text, encoding="utf-8")
    try:
        load_config(path, env or {})
    except ConfigProblems as problems:
        return [_plain(problem, str(path)) for problem in problems.problems]
    return []


def policy_problems(folder: Path, text: str, name: str = "mine.yaml"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    policy, problems = read_policy(path)
    assert (policy is None) == bool(problems)
    return [_plain(problem, str(path)) for problem in problems]


def _plain(problem, file: str) -> tuple[int, int, str]:
    start = f"{file}:{problem.line}:{problem.column}: "
    assert str(problem).startswith(start)
    return problem.line, problem.column, str(problem).removeprefix(start)


_MANY = "".join(
    f"      d{n}.example:\n        envelope_domains: [b.d{n}.example, c.d{n}.example]\n"
    f"        dkim: [{{selector: s1, key: keys/d{n}.pem}}]\n"
    "        routes: [{upstream: smart, policy: calendar-14-day}]\n"
    for n in range(2000)
)
LARGE = edited(CONFIG, "    domains:\n      other", f"    domains:\n{_MANY}      other")
"""CONFIG with 2,000 domains more."""
