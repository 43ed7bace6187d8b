"""Operators who call the product, signed by botocore as AWS's own clients sign."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import botocore.auth
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local.api_gateway.sigv4 import SERVICE
from local.aws.account import OPERATOR_ACCESS_KEY, REGION
from tests.support.whole_product import OPERATOR_SECRET, Reply, Sent, WholeProduct

HOST = "api.example.com"


@dataclass(frozen=True)
class Operator:
    """Signs requests; the defaults are those of an operator of the tests' product."""

    access_key: str = OPERATOR_ACCESS_KEY
    secret: str = OPERATOR_SECRET
    region: str = REGION
    service: str = SERVICE
    at: datetime | None = None

    def signed(
        self, method: str, path: str, body: Any = None, *, query: str = "", headers: Mapping[str, str] | None = None
    ) -> Sent:
        """The request with its signature."""
        content = b"" if body is None else json.dumps(body).encode()
        url = f"https://{HOST}{path}" + (f"?{query}" if query else "")
        given = {"Content-Type": "application/json", "Host": HOST, **(headers or {})}
        request = AWSRequest(method, url, dict(given), data=content)
        signer = SigV4Auth(Credentials(self.access_key, self.secret), self.service, self.region)
        with patch.object(botocore.auth, "get_current_datetime", lambda: self.at or datetime.now(UTC)):
            signer.add_auth(request)
        return Sent(method, path, tuple(request.headers.items()), content, query)

    async def call(self, product: WholeProduct, method: str, path: str, body: Any = None) -> Reply:
        """The reply to a signed request."""
        return await product.through_local_gateway(self.signed(method, path, body))
