"""Errors of conditional writes."""


class AlreadyExists(Exception):
    """The item exists."""


class LimitReached(Exception):
    """The tenant has as many items as it may."""


class RevisionChanged(Exception):
    """The item was changed since it was read."""
