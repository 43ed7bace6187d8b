"""Fixtures of the counting tests."""

from tests.support.inference.fixtures import *  # noqa: F403  pytest finds fixtures by their names here
