"""REQUEST authorizer events as API Gateway sends them.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-input.html
"""

from typing import Any

ARN = "arn:aws:execute-api:us-east-1:111122223333:abcdef123/test"


def request(
    secret: str | None = None, method: str = "GET", resource: str = "/api/v1/webhooks", **headers: str | list[str]
) -> dict[str, Any]:
    """A request with `secret` as its bearer token and other `headers`, one value or several each."""
    shown = {"Authorization": f"Bearer {secret}"} if secret else {}
    many = {name.replace("_", "-"): [value] if isinstance(value, str) else value for name, value in headers.items()}
    repeated = {name: [value] for name, value in shown.items()} | many
    return {
        "type": "REQUEST",
        "methodArn": f"{ARN}/{method}{resource.replace('{webhook_id}', 'wh_1')}",
        "resource": resource,
        "path": resource.replace("{webhook_id}", "wh_1"),
        "httpMethod": method,
        "headers": {name: values[-1] for name, values in repeated.items()},
        "multiValueHeaders": repeated,
        "pathParameters": {},
        "requestContext": {"resourcePath": resource, "httpMethod": method, "stage": "test"},
    }
