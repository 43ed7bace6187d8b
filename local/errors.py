"""What can keep the desk from starting. Messages are one line, meant for whoever typed the command.

DeskError
└─ EngineError            an engine does not start
   └─ JavaMissingError    there is no Java that can run DynamoDB Local
"""


class DeskError(Exception):
    """The desk can't start or go on; the message says what to do."""


class EngineError(DeskError):
    """An engine cannot start; the message says what to install or where to read its log."""


class JavaMissingError(EngineError):
    """There is no Java that can run DynamoDB Local."""
