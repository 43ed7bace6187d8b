"""Signature Version 4 for DynamoDB: botocore's own, but for a key that is derived once a day.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
"""

import hmac
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import NoCredentialsError
from botocore.session import get_session


class DailyKeySigner(SigV4Auth):
    """Signs requests with the credentials of the moment, which are those given or those that botocore finds.

    Raises NoCredentialsError when it finds none.
    """

    def __init__(self, credentials: Credentials | None, region: str) -> None:
        source = credentials or get_session().get_credentials()
        if source is None:
            raise NoCredentialsError
        super().__init__(source.get_frozen_credentials(), "dynamodb", region)
        self._source = source
        self._scope = (region, "dynamodb", "aws4_request")
        self._derived: tuple[tuple[str | None, str], bytes] | None = None

    def headers(self, url: str, operation: str, payload: bytes) -> dict[str, str]:
        """Headers of a signed request. Raises botocore's errors when credentials have to be fetched and can't be."""
        headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"DynamoDB_20120810.{operation}",
        }
        request = AWSRequest(method="POST", url=url, data=payload, headers=headers)
        # Temporary credentials may be replaced between two looks at them: all of a signature is of one look.
        self.credentials = self._source.get_frozen_credentials()
        self.add_auth(request)
        return dict(request.headers.items())

    def signature(self, string_to_sign: str, request: Any) -> str:
        """The signature of `string_to_sign`, in hex."""
        secret, day = self.credentials.secret_key, str(request.context["timestamp"])[:8]
        if self._derived is None or self._derived[0] != (secret, day):
            key = f"AWS4{secret}".encode()
            for part in (day, *self._scope):
                key = hmac.digest(key, part.encode(), "sha256")
            self._derived = ((secret, day), key)
        return hmac.digest(self._derived[1], string_to_sign.encode(), "sha256").hex()
