"""Errors of the SDK.

ChatFlowError
 └─ PhaseError        what a notebook asked of its attempt cannot be done
"""


class ChatFlowError(Exception):
    """Something ChatFlow refuses or cannot do; the message says what, and what to do next."""

    code = "internal"


class PhaseError(ChatFlowError):
    """What a notebook asked of its attempt cannot be done; `code` is stable."""

    def __init__(self, message: str, *, code: str = "invalid_input") -> None:
        super().__init__(message)
        self.code = code
