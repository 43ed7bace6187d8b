"""Public responses that caches and browsers may store."""

import hashlib

from fastapi import Request
from fastapi.responses import JSONResponse, Response

PUBLIC_CACHE = "public, max-age=60"


def cacheable(request: Request, content: object) -> Response:
    """`content` for public caches and any website; 304 when the caller has it already."""
    response = JSONResponse(content)
    etag = f'"{hashlib.sha256(response.body).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": PUBLIC_CACHE, "Access-Control-Allow-Origin": "*"}
    held = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if etag in held or "*" in held:
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return response
