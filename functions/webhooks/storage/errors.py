"""Errors of conditional writes."""


class AlreadyExists(Exception):
    """The item exists."""


class LimitReached(Exception):
    """The tenant has the maximum number of items."""


class RevisionChanged(Exception):
    """The item was changed since it was read."""
