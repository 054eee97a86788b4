"""Somebody with a browser that has no script: forms and cookies over plain HTTP."""

from __future__ import annotations

import http.client
import re
from dataclasses import dataclass, field
from urllib.parse import urlencode

ASK_S = 30.0
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Seen:
    """A page. Header names are in lower case."""

    status: int
    headers: dict[str, str]
    text: str


@dataclass
class Visitor:
    """One browser, before the pages on `port`."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, path: str) -> Seen:
        return self._ask("GET", path)

    def post(self, path: str, **form: str) -> Seen:
        """Send a form, with the token of this session."""
        return self._ask("POST", path, {"csrf": self.csrf, **form})

    @property
    def csrf(self) -> str:
        """The token of the session, from the first page that has it."""
        found = re.search(r'name="csrf" content="([^"]+)"', self.get("/dashboard/policies").text)
        return found[1] if found else ""

    def sign_in(self, name: str, password: str) -> Seen:
        """Fill the form in and send it."""
        page = self.get("/dashboard/sign-in").text
        token = re.search(r'name="form" value="([^"]+)"', page)
        assert token, page
        form = {"form": token[1], "name": name, "password": password, "next": ""}
        return self._ask("POST", "/dashboard/sign-in", form)

    @property
    def is_signed_in(self) -> bool:
        return self.get("/dashboard/policies").status == 200

    def _ask(self, method: str, path: str, form: dict[str, str] | None = None) -> Seen:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ASK_S)
        headers = {"cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        try:
            if form is None:
                connection.request(method, path, headers=headers)
            else:
                headers["content-type"] = FORM
                connection.request(method, path, urlencode(form), headers)
            answer = connection.getresponse()
            for name, value in answer.getheaders():
                if name.lower() == "set-cookie":
                    key, _, rest = value.partition("=")
                    self.cookies[key] = rest.partition(";")[0].strip('"')
            told = {name.lower(): value for name, value in answer.getheaders()}
            return Seen(answer.status, told, answer.read().decode())
        finally:
            connection.close()
