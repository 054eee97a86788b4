"""Whether the DNS publishes the keys that mail is signed with (RFC 6376 §3.6.1).

A signature by any other key does not stand, and only the recipients' servers see it. A record
that is not there yet is no problem: a domain has its keys before they are published.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from dkim.util import InvalidTagValueList, parse_tag_value

from relay.cli.finding import MOST_TOLD, Finding, fine, note, problem
from relay.core.config import Config
from relay.core.tenants.tenancy import DkimKey, SealedKey
from relay.ports.domains import NoDns
from relay.providers.txt import TxtResolver
from relay.signing.record import record_name, record_of


async def published_keys(config: Config) -> list[Finding]:
    """One finding for each key of the config's domains, all asked for at once."""
    domains = [domain for domain in config.directory.domains.values() if domain.dkim]
    if len(domains) > MOST_TOLD:
        return [note("published keys", f"not asked for: more than {MOST_TOLD} domains have some")]
    txt = TxtResolver(config.nameservers)
    asked = [_published(txt, domain.name, key) for domain in domains for key in domain.dkim]
    return await asyncio.gather(*asked)


async def _published(txt: TxtResolver, domain: str, key: DkimKey | SealedKey) -> Finding:
    part, name = f"published key {domain} {key.selector}", record_name(domain, key.selector)
    try:
        texts = await txt.texts(name)
        if not texts:
            told = f"{name} has no TXT record yet: `warmup-relay dns {domain}` prints it"
            return note(part, told)
        ours = await asyncio.to_thread(record_of, domain, key)
    except NoDns as error:
        return note(part, f"not known: {error}")
    except (OSError, ValueError) as error:
        return note(part, f"not compared: {error}")  # the key has a finding of its own
    if why := why_not_ours(texts, ours.value):
        return problem(part, f"{name}: {why}, so that signatures do not stand")
    return fine(part, f"{name} has it")


def why_not_ours(texts: Sequence[str], ours: str) -> str:
    """What is wrong with TXT records for a key whose own is `ours`; empty where nothing is."""
    records = [tags for text in texts if b"p" in (tags := _tags(text))]
    if len(records) > 1:
        return f"{len(records)} DKIM records are published, of which a verifier takes any"
    return _why_not(records[0], _tags(ours)) if records else "what is published is no DKIM record"


def _why_not(theirs: Mapping[bytes, bytes], ours: Mapping[bytes, bytes]) -> str:
    if not theirs[b"p"]:
        return "the key is revoked (p= is empty)"
    if theirs.get(b"v", b"DKIM1") != b"DKIM1":
        return "v= is not DKIM1"
    if (theirs.get(b"k", b"rsa"), b"".join(theirs[b"p"].split())) != (ours[b"k"], ours[b"p"]):
        return "another key is published"
    if b"sha256" not in _listed(theirs, b"h", b"sha256"):
        return "h= leaves out sha256"
    if _listed(theirs, b"s", b"*").isdisjoint({b"*", b"email"}):
        return "s= leaves out email"
    return ""


def _listed(tags: Mapping[bytes, bytes], name: bytes, default: bytes) -> set[bytes]:
    return {each.strip() for each in tags.get(name, default).split(b":")}


def _tags(text: str) -> Mapping[bytes, bytes]:
    try:
        return dict(parse_tag_value(text.encode("utf-8", "replace")))
    except InvalidTagValueList:
        return {}
