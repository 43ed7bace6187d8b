"""Replays that a test starts."""

from callmissed.aws.attributes import Item
from callmissed.clock import SECOND, Micros
from callmissed.platform.tables import DELIVERIES
from functions.webhooks.delivery.jobs import ReplayJob
from functions.webhooks.storage.records import REPLAY_PREFIX, Endpoint, State, key_before
from tests.support.webhooks.simulation import Simulation


async def start_replay(simulation: Simulation, endpoint: Endpoint, kind: str, *, since: int, **more: object) -> Item:
    """What the API does when a replay is started."""
    key = {"webhook": endpoint.partition, "item": f"{REPLAY_PREFIX}{kind}{simulation.crash_plan.steps}"}
    times = {"created": simulation.now, "since": since, "until": simulation.now - 1000}
    chosen = {"events": ["*"], "states": ["failed"] if kind == "recover" else [*map(str, State)], **more}
    item = {**key, "kind": kind, **times, "state": "running", "seen": 0, "queued": 0, **chosen}
    item["cursor"] = key_before(Micros(since))
    await simulation.database.put(DELIVERIES, item | endpoint.due(Micros(simulation.now + 120 * SECOND)))
    await simulation.jobs.send([ReplayJob(endpoint, replay_id(key)).message()])
    return key


def replay_id(key: Item) -> str:
    """Id of the replay with this key."""
    return key["item"].removeprefix(REPLAY_PREFIX)
