"""Every route is in one walk with another tenant's credentials and ids; each walk fails for a route without a check."""

from collections import Counter

from callmissed.platform.routes import ROUTES
from tests.integration.functions.auth import test_isolation as auth
from tests.integration.functions.auth.admin import test_routes as operators
from tests.integration.functions.billing import test_isolation as billing
from tests.integration.functions.bots.handlers import test_isolation as bots
from tests.integration.functions.bots.inbox import test_drafts as drafts
from tests.integration.functions.inference import test_tenant_isolation as inference
from tests.integration.functions.webhooks.callbacks import test_isolation as callbacks
from tests.integration.functions.webhooks.handlers import test_isolation as webhooks

WALKS = (
    operators.OF_OPERATORS,
    auth.SERVED,
    billing.SERVED,
    bots.SERVED,
    callbacks.SERVED,
    drafts.SERVED,
    inference.SERVED,
    webhooks.SERVED,
)


def test_every_route_is_walked_once() -> None:
    assert Counter(route for walk in WALKS for route in walk) == Counter(ROUTES)
