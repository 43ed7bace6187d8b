"""An operator who previews and imports providers files of a product."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from callmissed.platform.tables import AUDIT
from tests.support.faults import FaultyDynamoDB
from tests.support.operators import Operator
from tests.support.sign_in import SettableClock
from tests.support.whole_product import WholeProduct

PATH = "/api/v1/admin/prices"
LAB = """
[providers.lab]
base_url = "http://127.0.0.1:9000/v1"

[[models]]
id = "lab-chat"
provider = "lab"
upstream_id = "some-model"
input = 10
output = 20.5
context_window = 128000
"""
DEARER = LAB.replace("input = 10", "input = 12").replace("20.5", "41.5")


@dataclass
class PriceImporter:
    """An operator's calls, and what is stored."""

    product: WholeProduct
    dynamodb: FaultyDynamoDB
    file: Path
    clock: SettableClock

    async def call(self, name: str, **body: Any) -> tuple[int, Any]:
        reply = await Operator().call(self.product, "POST", f"{PATH}/{name}", body)
        return reply.status, json.loads(reply.body)

    async def preview(self, text: str) -> dict[str, Any]:
        status, found = await self.call("preview", providers=text)
        assert status == 200, found
        return found

    async def refused(self, text: str) -> list[str]:
        """What is wrong with a file."""
        status, answer = await self.call("preview", providers=text)
        assert (status, answer["error"]["code"]) == (422, "invalid_request_error"), answer
        assert {tuple(each["loc"]) for each in answer["error"]["details"]} == {("body", "providers")}
        return [each["msg"] for each in answer["error"]["details"]]

    async def import_(self, text: str, version: str) -> tuple[int, Any]:
        return await self.call("import", providers=text, version=version, reason="new prices")

    async def imported(self, text: str) -> dict[str, Any]:
        """The answer to an import after a preview."""
        status, answer = await self.import_(text, (await self.preview(text))["version"])
        assert status == 200, answer
        return answer

    async def events(self) -> list[dict[str, Any]]:
        """The audit log's imports, the oldest first."""
        found = [item async for item in self.product.database.query(AUDIT, "@platform")]
        return [item for item in found if item["action"] == "prices.import"]
