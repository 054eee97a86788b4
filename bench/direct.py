"""No system at all: the sender talks to the sink. What the two ends and the machine allow."""

from __future__ import annotations

from bench.peers.system import About, System, Wanted


class Direct(System):
    """Its port is the sink's."""

    about = About("direct", "direct send", "none", "anything: it is the ceiling")
    signs = False

    def __init__(self, wanted: Wanted) -> None:
        super().__init__(wanted)
        self.port = wanted.sink_port

    def start(self) -> None:
        """There is nothing to start."""

    def stop(self) -> None:
        """There is nothing to stop."""

    def edit(self, cap: int) -> None:
        """It has no cap."""
        self.cap = cap
