"""Everything that a client raises.

EmotionError
├── InputError          what was passed in here cannot be sent (also a ValueError)
├── UnreachableError    nobody answers at the URL, or the connection broke
│   └── OutOfTimeError  the answer did not come in time
├── RefusedError        the service said what was wrong with the request: 4xx
├── OverloadedError     the service is busy, or not ready yet: 429 or 503, after all retries
├── ServiceError        the service failed, or what answered is not the service
└── ClosedError         the client was closed
"""

from __future__ import annotations


class EmotionError(Exception):
    """Any failure of a call. Its text is a sentence for people."""


class InputError(EmotionError, ValueError):
    """What was passed in cannot be sent: no picture, or no URL."""


class UnreachableError(EmotionError):
    """Nobody answers at the URL, or the connection broke."""


class OutOfTimeError(UnreachableError):
    """The answer did not come in time."""


class _AnswerError(EmotionError):
    """An answer that is an error.

    Args:
        status: The HTTP status.
        code: The service's short name for what was wrong, for programs.
        message: The service's sentence.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class RefusedError(_AnswerError):
    """The service said what was wrong with the request: 4xx."""


class OverloadedError(_AnswerError):
    """The service is busy, or not ready yet: 429 or 503.

    Args:
        status: The HTTP status.
        code: The service's short name for what was wrong.
        message: The service's sentence.
        retry_after: Seconds after which the service asks to try again, or None where it did not say.
    """

    def __init__(self, status: int, code: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(status, code, message)
        self.retry_after = retry_after


class ServiceError(_AnswerError):
    """The service failed (5xx), or what answered is not the service."""


class ClosedError(EmotionError):
    """The client was closed, before the call or during it."""

    def __init__(self) -> None:
        super().__init__("The client is closed.")
