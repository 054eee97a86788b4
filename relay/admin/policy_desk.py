"""Policy files for the pages: read, checked as they are typed, saved with a backup.

Implements `ports.pages.Policies` over the loader that the relay itself uses, so that what it
says here is what a reload would say. Everything that touches the disk is in a thread. What is
saved is in the audit log, from before it is on the disk.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import Final

from relay.admin.recording import entry, was_done, was_not_done, written_ahead
from relay.core.config import Config
from relay.core.errors import StoreTrouble
from relay.core.policy.policy import Policy
from relay.ports import Clock
from relay.ports.pages import CannotSave, Fault, PolicyText, SavedUnnoted
from relay.ports.web import AuditLog
from relay.settings.folders import policy_files
from relay.settings.policies import layers, read_policies, read_policy
from relay.settings.problems import Wrong

MOST_BYTES: Final = 262_144


@dataclass(frozen=True, slots=True)
class PolicyDesk:
    """Implements `ports.pages.Policies`. `config` gives the config in force."""

    config: Callable[[], Config]
    clock: Clock
    audit: AuditLog
    saving: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def all(self) -> dict[str, Policy]:
        """See `ports.pages.Policies`."""
        return await asyncio.to_thread(lambda: read_policies(self._directories()).policies)

    async def text(self, name: str) -> PolicyText | None:
        """See `ports.pages.Policies`."""
        return await asyncio.to_thread(self._text, name)

    async def check(self, name: str, text: str) -> tuple[Policy | None, list[Fault]]:
        """See `ports.pages.Policies`."""
        return await asyncio.to_thread(self._check, name, text)

    async def save(self, name: str, text: str, digest: str, *, actor: str) -> None:
        """See `ports.pages.Policies`."""
        before = {"digest": digest}
        told = entry(self.clock.now(), actor, "save-policy", "", f"policy {name}", before=before)
        ahead = await written_ahead(self.audit, told)
        try:
            async with self.saving:  # from the look at the digest to the file
                target, backup = await asyncio.to_thread(self._save, name, text, digest)
        except CannotSave:
            with suppress(StoreTrouble):  # the entry stays open, and why it was not saved is told
                await was_not_done(self.audit, ahead)
            raise
        after = {"digest": _digest(text), "file": str(target)}
        try:
            await was_done(self.audit, ahead, after, f"the old one is {backup}" if backup else "")
        except StoreTrouble as error:
            raise SavedUnnoted from error

    def _directories(self) -> list[Path]:
        return [each for each in self.config().policy_directories if each.is_dir()]

    def _file(self, name: str) -> Path | None:
        """The file of a policy: that of the last layer that has one."""
        found = None
        for directory in layers(self._directories()):
            with suppress(Wrong):
                names = {each.stem: each for each in policy_files(directory)}
                found = names.get(name, found)
        return found

    def _target(self, name: str) -> Path | None:
        """Where a policy would be written: its own file, or one in the last directory."""
        directories = self._directories()
        own = self._file(name)
        folder = own.parent if own and own.parent in directories else None
        folder = folder or (directories[-1] if directories else None)
        return folder / f"{name}.yaml" if folder and os.access(folder, os.W_OK) else None

    def _text(self, name: str) -> PolicyText | None:
        file = self._file(name)
        if file is None:
            return None
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None
        target = self._target(name)
        return PolicyText(name, text, _digest(text), str(target) if target else None)

    def _check(self, name: str, text: str) -> tuple[Policy | None, list[Fault]]:
        if len(text.encode("utf-8", "replace")) > MOST_BYTES:
            return None, [Fault(1, 1, f"a policy is at most {MOST_BYTES} bytes", "")]
        providers = self.config().providers.names
        with TemporaryDirectory(prefix="warmup-relay-") as folder:
            file = Path(folder) / f"{name}.yaml"
            file.write_text(text, encoding="utf-8", errors="replace", newline="")
            policy, problems = read_policy(file, providers)
        return policy, [Fault(one.line, one.column, one.text, one.hint) for one in problems]

    def _save(self, name: str, text: str, digest: str) -> tuple[Path, Path | None]:
        if self._check(name, text)[1]:
            raise CannotSave("there are faults in it")
        found, target = self._text(name), self._target(name)
        if found is None or found.digest != digest:
            raise CannotSave("somebody has changed the file meanwhile: load it again")
        if target is None:
            raise CannotSave("no policy directory of the config may be written to")
        try:
            backup = self._kept(target)
            _replace(target, text.encode())
        except OSError as error:
            raise CannotSave(f"{target}: {error.strerror or error}") from error
        return target, backup

    def _kept(self, target: Path) -> Path | None:
        """The file as it was, beside itself under a name that no policy has."""
        if not target.exists():
            return None
        backup = target.with_name(f"{target.name}.{self.clock.now():%Y%m%dT%H%M%S%f}.bak")
        _replace(backup, target.read_bytes())
        return backup


def _replace(target: Path, content: bytes) -> None:
    """Write the whole of `content`, on disk, or nothing."""
    draft = NamedTemporaryFile(  # noqa: SIM115 - closed below, before it is renamed
        dir=target.parent, prefix=".draft-", delete=False
    )
    try:
        with draft:
            draft.write(content)
            draft.flush()
            os.fsync(draft.fileno())
        Path(draft.name).chmod(0o644)
        Path(draft.name).replace(target)
    except OSError:
        Path(draft.name).unlink(missing_ok=True)
        raise


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()
