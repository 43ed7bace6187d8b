"""Fixtures of the counting tests."""

from tests.integration.inference.fixtures import *  # noqa: F403  pytest finds fixtures by their names here
