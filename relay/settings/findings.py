"""The problems of one file while it is being read."""

from __future__ import annotations

from relay.settings.problems import Problem, Wrong

Position = tuple[int, int]
"""Line and column, both from 1."""

START: Position = (1, 1)


class Findings:
    """Collects the problems of `file`; at most one reading problem a place, the first."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self._unreadable: set[Position] = set()

    def add(self, at: Position, text: str, hint: str = "") -> None:
        """`text` is wrong at the position `at`, unless that place could not even be read."""
        if at not in self._unreadable:
            self._append(at, text, hint)

    def unreadable(self, at: Position, wrong: Wrong) -> None:
        """The value at `at` could not be read; what follows from that is not worth telling."""
        self._append(at, wrong.text, wrong.hint)
        self._unreadable.add(at)

    def _append(self, at: Position, text: str, hint: str) -> None:
        problem = Problem(self.file, at[0], at[1], text, hint)
        self.problems.append(problem)

    def in_order(self) -> list[Problem]:
        """As they stand in the file."""
        return sorted(self.problems, key=lambda problem: (problem.line, problem.column))
