"""The gate before the engines: it knows a function by its credentials, and refuses what its role does not allow."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import aiohttp
from aiohttp import web

from rehearsal.access.policies import AccessRequest, matches
from rehearsal.access.requests import ServiceRequest, access_requests
from rehearsal.access.roles import Policies
from rehearsal.errors import UnsupportedError

_SCOPE = re.compile(r"Credential=([A-Z0-9]+)/\d+/[a-z0-9-]+/([a-z0-9-]+)/aws4_request")
_HOP = {"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "expect"}
_MAX_BODY = 16 * 1024 * 1024


class Principal(NamedTuple):
    """A function and the ARN of its role, known by its credentials."""

    function: str
    role: str
    session_token: str


class UsedRight(NamedTuple):
    """A request that a function made."""

    function: str
    action: str
    resource: str

    def __str__(self) -> str:
        return f"{self.function}: {self.action} on {self.resource}"


@dataclass
class AccessGate:
    """An aiohttp application in front of `engines` (URLs by service; `""` is any other).

    `principals` are by access key id. `secrets` are names by ARN: moto chooses the end of a secret's ARN itself. What
    was allowed is in `used`, what was refused in `refused`.
    """

    engines: Mapping[str, str]
    policies: Policies
    principals: dict[str, Principal]
    secrets: Mapping[str, str] = field(default_factory=dict[str, str])
    used: set[UsedRight] = field(default_factory=set[UsedRight])
    refused: list[str] = field(default_factory=list[str])
    _client: aiohttp.ClientSession | None = None

    def app(self) -> web.Application:
        """The application."""
        app = web.Application(client_max_size=_MAX_BODY)
        app.router.add_route("*", "/{path:.*}", self._serve)
        app.on_cleanup.append(self._close)
        return app

    async def _serve(self, request: web.Request) -> web.Response:
        body = await request.read()
        found = _SCOPE.search(request.headers.get("Authorization", ""))
        principal = self.principals.get(found[1]) if found else None
        service = found[2] if found else ""
        if principal is None or request.headers.get("X-Amz-Security-Token") != principal.session_token:
            self.refused.append(f"an unknown caller: {service} {request.method} {request.path}")
            return _denial(service, "UnrecognizedClientException", "The security token is invalid.")
        target = request.headers.get("X-Amz-Target", "")
        asked = ServiceRequest(service, request.method, request.raw_path.partition("?")[0], target, body)
        if why := self._refusal(principal, asked):
            self.refused.append(why)
            return _denial(service, "AccessDeniedException", why)
        answer = await self._passed_on(request, asked)
        if asked.service == "s3" and answer.status == 404 and not self._may_list(principal, asked):
            return _denial("s3", "AccessDenied", "S3 hides that an object does not exist from who may not list them.")
        return answer

    def _refusal(self, principal: Principal, asked: ServiceRequest) -> str | None:
        """Why the request is refused; None when it is allowed."""
        try:
            wanted = access_requests(asked)
        except UnsupportedError as error:
            return f"{principal.function}: {error}"
        for each in wanted:
            right = UsedRight(principal.function, each.action, each.resource)
            if not self.policies.role_allows(principal.role, each):
                return str(right)
            self.used.add(right)
        return None

    def _may_list(self, principal: Principal, asked: ServiceRequest) -> bool:
        bucket = asked.path.lstrip("/").partition("/")[0]
        return self.policies.role_allows(principal.role, AccessRequest("s3:ListBucket", f"arn:aws:s3:::{bucket}"))

    async def _passed_on(self, request: web.Request, asked: ServiceRequest) -> web.Response:
        if self._client is None:
            self._client = aiohttp.ClientSession(auto_decompress=False)
        engine = self.engines.get(asked.service, self.engines[""])
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP}
        body = asked.body
        for arn, name in self.secrets.items() if asked.service == "secretsmanager" else ():
            body = body.replace(arn.encode(), name.encode())
        async with self._client.request(
            request.method, f"{engine}{request.raw_path}", data=body, headers=headers, allow_redirects=False
        ) as answer:
            content = await answer.read()
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP}
            return web.Response(status=answer.status, headers=kept, body=content)

    async def _close(self, _app: web.Application) -> None:
        if self._client is not None:
            await self._client.close()


def unused_rights(policies: Policies, roles: Mapping[str, str], used: set[UsedRight], services: set[str]) -> list[str]:
    """Granted actions on data that no request used, by function; `roles` has each function's role."""
    rights: list[str] = []
    for function, role in roles.items():
        for statement in policies.roles.get(role, ()):
            for action in _texts(statement.get("Action", [])):
                for resource in _texts(statement.get("Resource", [])):
                    taken = any(
                        right.function == function and right.action == action and matches(resource, right.resource)
                        for right in used
                    )
                    if action.partition(":")[0] in services and not taken:
                        rights.append(f"{function}: {action} on {resource}")
    return rights


def _texts(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _denial(service: str, code: str, why: str) -> web.Response:
    if service == "s3":
        text = f"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>{why}</Message></Error>"
        return web.Response(status=403, text=text, content_type="application/xml")
    body = {"__type": f"com.amazon.coral.service#{code}", "message": why, "Message": why}
    return web.json_response(
        body, status=400, headers={"x-amzn-ErrorType": code}, content_type="application/x-amz-json-1.0"
    )
