"""Tests of one group run in one worker."""

import pytest


@pytest.mark.xdist_group("one_worker")
def test_scheduler_reads_the_group_in_the_name_of_a_test(request: pytest.FixtureRequest) -> None:
    """A group that gets lost fails nothing: each worker starts the stacks of its own."""
    grouped = getattr(request.config.option, "loadgroup", False)
    assert request.node.nodeid.endswith("@one_worker") is grouped
