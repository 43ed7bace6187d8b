"""The call that keeps a function's snapshot, which Lambda deletes after 14 days without a call."""

from typing import Any

from callmissed.platform.functions.function import Function
from callmissed.platform.routes import ROUTES, Auth, Route

WAKE_UP = "wake-up"


def wake_up_event(function: Function) -> dict[str, Any]:
    """An event that `function` answers without any work: API Gateway's of a public route, or `{"schedule": "wake-up"}`.

    A web app gets what API Gateway sends, because the Lambda Web Adapter understands nothing else.
    """
    path = next((route.path for route in ROUTES if _is_free(route, function)), None)
    if path is None:
        return {"schedule": WAKE_UP}
    return {
        "resource": path,
        "path": path,
        "httpMethod": "GET",
        "headers": {},
        "multiValueHeaders": {},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {"resourcePath": path, "path": path, "httpMethod": "GET", "requestId": WAKE_UP},
        "body": None,
        "isBase64Encoded": False,
    }


def _is_free(route: Route, function: Function) -> bool:
    plain = route.method == "GET" and "{" not in route.path
    return plain and route.function == function.name and route.auth is Auth.PUBLIC
