"""`warmup-relay web` beside a relay, in a process of its own, and a plain HTTP client for it."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass, field
from typing import Any

from tests.harness.asked import token_of
from tests.harness.ports import free_port
from tests.harness.processes import Child
from tests.harness.relay_process import COMMAND, READY_S, ROOT, RelayProcess
from tests.harness.waiting import until

ASK_S = 30.0


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """An HTTP answer. Header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class WebProcess:
    """The API beside `relay`, which runs. `token` is used where a request names none.

    `wrapper` is a command that runs its arguments, for a process that may do less.
    """

    relay: RelayProcess
    port: int = field(default_factory=free_port)
    token: str = ""
    wrapper: tuple[str, ...] = ()
    _child: Child | None = None

    def start(self) -> WebProcess:
        """Start it and wait until it answers."""
        command = [*self.wrapper, *COMMAND, "web", "--config", self.relay.config_path]
        command += ["--address", f"127.0.0.1:{self.port}", "--clock", self.relay.clock.path]
        env = {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        log = self.relay.home / f"web-{self.port}.log"
        self._child = Child(command, log, cwd=self.relay.home, env=env)
        until(self._is_up, "the API to answer", timeout_s=READY_S, detail=self._child.tail)
        return self

    @property
    def child(self) -> Child:
        assert self._child
        return self._child

    def _is_up(self) -> bool:
        try:
            return self.ask("GET", "/readyz").status == 200
        except OSError:
            return False

    def end(self) -> None:
        """For finalizers."""
        if self._child:
            self._child.end()

    def make_token(self, *scopes: str, tenant: str | None = "acme", **more: str) -> str:
        """A token's text, as `warmup-relay token create` makes it; `more`: name, expires."""
        return token_of(self.relay.config_path, scopes, tenant, **more)

    def ask(
        self,
        method: str,
        path: str,
        content: Any = None,
        *,
        token: str | None = None,
        **headers: str,
    ) -> ApiAnswer:
        """One request; `content` is JSON unless it is bytes. `a_b` is the header `a-b`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        token = self.token if token is None else token
        if token:
            named.setdefault("authorization", f"Bearer {token}")
        if content is not None and not isinstance(content, bytes):
            content = json.dumps(content).encode()
            named.setdefault("content-type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ASK_S)
        try:
            connection.request(method, path, content, named)
            answer = connection.getresponse()
            told = {name.lower(): value for name, value in answer.getheaders()}
            return ApiAnswer(answer.status, told, answer.read())
        finally:
            connection.close()

    def get(self, path: str, **more: Any) -> ApiAnswer:
        return self.ask("GET", path, **more)

    def post(self, path: str, content: Any = None, **more: Any) -> ApiAnswer:
        return self.ask("POST", path, content, **more)
