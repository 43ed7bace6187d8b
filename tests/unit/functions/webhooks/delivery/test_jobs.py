"""Jobs, as the queue carries them."""

import pytest

from functions.webhooks.delivery.jobs import AttemptJob, Job, ParkedJob, ReplayJob, of_due, parse
from functions.webhooks.storage.due import Due
from functions.webhooks.storage.records import Endpoint

ENDPOINT = Endpoint("tnt_1", "wh_1")
ATTEMPT = AttemptJob(ENDPOINT, "dlv_1", "evt_1", 2)
PARKED = ParkedJob(ENDPOINT)
REPLAY = ReplayJob(ENDPOINT, "rpl_1")


@pytest.mark.parametrize("job", [ATTEMPT, PARKED, REPLAY], ids=["attempt", "parked", "replay"])
def test_a_job_is_parsed_from_its_message(job: Job) -> None:
    message = job.message(7)

    assert parse(message.body) == job
    assert (message.group, message.delay_seconds) == ("tnt_1", 7)


def test_an_unknown_job_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown job 'dance'"):
        parse({"do": "dance", "t": "tnt_1", "w": "wh_1"})


@pytest.mark.parametrize(
    ("item", "job"),
    [
        ({"item": "D#dlv_1", "event": "evt_1", "n": 2}, ATTEMPT),
        ({"item": "PARKED"}, PARKED),
        ({"item": "R#rpl_1"}, REPLAY),
    ],
    ids=["attempt", "parked", "replay"],
)
def test_an_item_that_is_due_has_a_job(item: dict[str, object], job: Job) -> None:
    due = Due.of({"webhook": ENDPOINT.partition, "due": "1", "shard": "2", **item})

    assert of_due(due) == job
