"""The errors that cross the border between a component and the kernel."""

from __future__ import annotations


class SidelightError(Exception):
    """Anything that Sidelight raises on purpose. The kernel ends a run with exit code 1 on it."""


class UserError(SidelightError):
    """A mistake that the user can mend: a wrong path, a missing package, data that cannot be read.

    The kernel prints it without a traceback and exits with code 2.

    Args:
        message: what is wrong, naming the place (a file, a parameter, a class name).
        fix: what to do about it, as an imperative sentence; may be empty.
    """

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.message}\n  fix: {self.fix}" if self.fix else self.message


class NotFittedError(SidelightError):
    """A trainable component was used before `fit` or `load_state`."""


class Cancelled(SidelightError):
    """The user asked the run to stop; raised out of `run.progress` and never caught by a component."""
