"""Errors that keep the local stack from starting. Messages are one line, meant for the terminal.

LocalStackError
└─ EngineError            an engine does not start
   └─ JavaMissingError    there is no Java that can run DynamoDB Local
"""


class LocalStackError(Exception):
    """The local stack can't start or go on; the message says what to do."""


class EngineError(LocalStackError):
    """An engine cannot start; the message says what to install or where to read its log."""


class JavaMissingError(EngineError):
    """There is no Java that can run DynamoDB Local."""
