"""Public keys of access tokens, for services that verify them."""

from typing import Any

from fastapi import APIRouter, Request

from callmissed.web.gateway_route import GatewayRoute

router = APIRouter(tags=["auth"], route_class=GatewayRoute)


@router.get("/.well-known/jwks.json", summary="Public keys of access tokens")
async def key_set(request: Request) -> dict[str, Any]:
    """The public keys that verify access tokens, as a JWK Set (RFC 7517)."""
    return request.app.state.key_set
