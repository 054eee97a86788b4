"""A master and its replica that three sentinels watch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import redis

from tests.harness.members import DURABLE, FOLLOWER, HOST, QUICK, USERS, Member
from tests.harness.waiting import until


class _Sentinel(Member):
    """Its config is a file that it rewrites."""

    def __init__(self, master_port: int, *, down_after_ms: int) -> None:
        super().__init__()
        self._config = self.directory / "sentinel.conf"
        self._config.write_text(
            f"sentinel monitor mymaster {HOST} {master_port} 2\n"
            f"sentinel down-after-milliseconds mymaster {down_after_ms}\n"
            "sentinel failover-timeout mymaster 2000\n"
            "sentinel auth-user mymaster sentinel\n"
            "sentinel auth-pass mymaster sentinel\n",
            encoding="utf-8",
        )

    def _head(self) -> list[str]:
        return [str(self._config), "--sentinel"]

    def named(self) -> int:
        """The port of the master, as this one names it."""
        with suppress(redis.RedisError):
            found = self.said("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster")
            return int(found[1]) if found else 0
        return 0

    def is_ready(self) -> bool:
        """Whether it knows the others, and the replica."""
        with suppress(redis.RedisError, KeyError):
            found = self.said("SENTINEL MASTER", "mymaster")
            return (found["num-other-sentinels"], found["num-slaves"]) == (2, 1)
        return False


class Watched:
    """A master and its replica, watched by three sentinels."""

    def __init__(self, *, down_after_ms: int = 500) -> None:
        self.members = [Member(*DURABLE, *QUICK, *USERS, *FOLLOWER, user="relay") for _ in range(2)]
        self.sentinels = [
            _Sentinel(self.members[0].port, down_after_ms=down_after_ms) for _ in range(3)
        ]

    @property
    def url(self) -> str:
        places = ",".join(f"{HOST}:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis+sentinel://relay:relay@{places}/mymaster"

    def start(self) -> Watched:
        master, replica = self.members
        master.start()
        replica.start("--replicaof", f"{HOST} {master.port}")
        until(replica.follows, "the replica")
        for sentinel in self.sentinels:
            sentinel.start()
        self.settled()
        return self

    @property
    def master(self) -> Member:
        """The one that the sentinels name, all of them."""
        named = {sentinel.named() for sentinel in self.sentinels}
        (found,) = [m for m in self.members if {m.port} == named]
        return found

    @property
    def replica(self) -> Member:
        return next(m for m in self.members if m is not self.master)

    def settled(self) -> None:
        """Wait until the sentinels agree, and the replica follows."""
        until(self._is_settled, "the sentinels to settle", timeout_s=30, detail=self._told)

    def failed_over(self, old: Member) -> None:
        """Wait until the sentinels name another master than `old`, and it is one."""
        other = next(m for m in self.members if m is not old)
        until(
            lambda: {s.named() for s in self.sentinels} == {other.port} and other.is_master(),
            "the failover",
            timeout_s=30,
            detail=self._told,
        )

    def _is_settled(self) -> bool:
        named = {sentinel.named() for sentinel in self.sentinels}
        masters = [m for m in self.members if m.is_master()]
        return (
            len(masters) == 1
            and {masters[0].port} == named
            and any(m.follows() for m in self.members)
            and all(sentinel.is_ready() for sentinel in self.sentinels)
        )

    @contextmanager
    def cut_off(self, master: Member) -> Iterator[None]:
        """The replica and the sentinels cannot reach `master`; the relays still can."""
        users = ("default", "sentinel", "follower")
        try:
            master.refuse(*users)
            yield
        finally:
            for user in users:
                master.said("ACL", "SETUSER", user, "on")

    def _told(self) -> str:
        return "\n".join(m._child.tail() for m in [*self.members, *self.sentinels] if m._child)

    def close(self) -> None:
        for member in [*self.sentinels, *self.members]:
            member.close()
