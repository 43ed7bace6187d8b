"""The running API does as docs/api/openapi.json says: statuses, content types, headers and schemas, and no 5xx.

The same requests in each run, by a fixed seed: an eighth of them, and all in `make soak NAME=api`. For a longer look,
with checks that can't all hold (a URL is checked beyond what a schema says, and API Gateway answers 404 to a method
that a route lacks):

    schemathesis run docs/api/openapi.json --url http://127.0.0.1:8000 -H "Authorization: Bearer $KEY"
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from jsonschema import Draft202012Validator

from local.paths import ROOT
from local.state.folder import StateFolder
from tests.support import schemathesis_hooks
from tests.support.api_schemas import unnamed
from tests.support.local_stack import LocalStack
from tests.support.visitors import visiting
from tests.support.webhooks.tenants import WEBHOOKS, Endpoint, Tenant, command

DOCUMENT = ROOT / "docs" / "api" / "openapi.json"
COMMAND = Path(sys.executable).with_name("schemathesis")
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
SETTINGS = """
[phases.coverage]
unexpected-methods = []

[[operations]]
include-path-regex = "^/anthropic/v1/messages"
phases.coverage.enabled = false

[[operations]]
include-path = "/api/v1/auth/google"
checks.not_a_server_error.expected-statuses = ["2xx", "4xx", "503"]

[[operations]]
include-path-regex = "^/v1/(search|audio)"
checks.not_a_server_error.expected-statuses = ["2xx", "4xx", "503"]
"""
"""Methods that no route has are API Gateway's. `/anthropic/v1/messages` is `/v1/messages` by another name.

Sign-in with Google is off, and searches and transcriptions have no provider but the sandbox, which are 503s.
"""
CALLS_OUT = f"{WEBHOOKS}/{{webhook_id}}/test"
"""The route that sends a request to a webhook's URL, which here may be anybody's."""


@pytest.fixture(scope="module")
def tenant(local_stack: LocalStack) -> Iterator[Tenant]:
    """A tenant of these tests, with a key for everything that is documented."""
    with Tenant.created(local_stack, "openapi") as tenant:
        command(local_stack, "credits", "grant", "1000", "--tenant", tenant.id)
        yield tenant


@pytest.fixture
def credentials(local_stack: LocalStack, tenant: Tenant) -> dict[str, str]:
    """The tenant's key, the session of another tenant's owner, and an operator's secret, who changes a third one."""
    with visiting(local_stack, "ada", "127.0.0.83") as owner:
        owner.register()
    return {
        "key": tenant.api.headers["authorization"].removeprefix("Bearer "),
        "session": owner.tokens["access_token"],
        "operator_secret": StateFolder(local_stack.state).secrets().operator_secret,
        "tenant": command(local_stack, "tenants", "create", "--name", "operated", "--plan", "pro")["tenant_id"],
    }


def test_every_answer_is_documented(tenant: Tenant, credentials: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "schemathesis.toml").write_text(SETTINGS)
    variables = {
        "SCHEMATHESIS_HOOKS": schemathesis_hooks.__name__,
        "PYTHONPATH": str(ROOT),
        schemathesis_hooks.VARIABLE: json.dumps(credentials),
        schemathesis_hooks.SHARE_VARIABLE: os.environ.get(schemathesis_hooks.SHARE_VARIABLE, "8"),
    }
    done = subprocess.run(
        [
            *(COMMAND, "run", DOCUMENT, "--url", tenant.local_stack.announcement["base_url"]),
            *("--checks", ",".join(CHECKS), "--exclude-path", CALLS_OUT),
            *("--phases", "examples,coverage,fuzzing", "--max-examples", "1", "--seed", "9", "--no-shrink"),
        ],
        cwd=tmp_path,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    operations = sum(map(len, json.loads(DOCUMENT.read_text())["paths"].values()))
    assert f"Tested: {operations - 1}" in done.stdout


def answered(method: str, path: str, answer: httpx2.Response) -> Any:
    """The JSON of `answer`, of which the document names every field for the operation."""
    document = json.loads(DOCUMENT.read_text())
    described = document["paths"][path][method]["responses"][str(answer.status_code)]
    schema = described["content"]["application/json"]["schema"]
    Draft202012Validator({**schema, "components": document["components"]}).validate(answer.json())
    assert unnamed(document, schema, answer.json()) == []
    return answer.json()


def test_a_call_and_what_is_known_of_it_are_documented(tenant: Tenant) -> None:
    body = {"model": "sandbox", "messages": [{"role": "user", "content": "Hello!"}]}
    called = tenant.api.post("/v1/chat/completions", json=body)
    answered("post", "/v1/chat/completions", called)

    asked = tenant.api.get("/v1/generation", params={"id": called.headers["x-generation-id"]})

    assert answered("get", "/v1/generation", asked)["data"]["model"] == "sandbox"


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_embeddings_are_documented(tenant: Tenant, encoding: str) -> None:
    body = {"model": "sandbox-embedding", "input": ["a", "b"], "encoding_format": encoding}

    made = tenant.api.post("/v1/embeddings", json=body)

    assert len(answered("post", "/v1/embeddings", made)["data"]) == 2


def test_models_are_documented(tenant: Tenant) -> None:
    for path in ("/v1/models", "/api/v1/models", "/api/v1/models/access"):
        answered("get", path, tenant.api.get(path))


def test_a_webhook_is_documented(tenant: Tenant) -> None:
    one = f"{WEBHOOKS}/{{webhook_id}}"
    asked = {"url": "http://127.0.0.1:9/hooks", "events": ["*"], "headers": {"X-A": "b"}}
    made = answered("post", WEBHOOKS, tenant.api.post(WEBHOOKS, json=asked))
    path = f"{WEBHOOKS}/{made['id']}"
    answered("get", WEBHOOKS, tenant.api.get(WEBHOOKS))
    answered("get", one, tenant.api.get(path))
    answered("put", one, tenant.api.put(path, json={"description": "x"}))
    answered("post", f"{one}/rotate", tenant.api.post(f"{path}/rotate", json={}))
    answered("get", f"{WEBHOOKS}/event-types", tenant.api.get(f"{WEBHOOKS}/event-types"))
    assert tenant.api.delete(path).status_code == 204


def test_a_delivery_and_its_replays_are_documented(tenant: Tenant) -> None:
    one = f"{WEBHOOKS}/{{webhook_id}}"
    with Endpoint.serving() as endpoint, tenant.webhook(endpoint.url) as webhook:
        id = webhook.delivery(tenant.emit(), status="delivered")["id"]
        answered("get", f"{one}/deliveries", webhook.call("GET", "/deliveries"))
        answered("get", f"{one}/deliveries/{{delivery_id}}", webhook.call("GET", f"/deliveries/{id}"))
        answered("post", f"{one}/deliveries/{{delivery_id}}/replay", webhook.call("POST", f"/deliveries/{id}/replay"))
        answered("post", f"{one}/test", webhook.call("POST", "/test"))
        replay = answered("post", f"{one}/recover", webhook.call("POST", "/recover", {}))
        answered("get", f"{one}/replays/{{replay_id}}", webhook.call("GET", f"/replays/{replay['id']}"))
