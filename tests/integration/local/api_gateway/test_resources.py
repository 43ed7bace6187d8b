"""Which route serves a path, where several templates match it."""

import pytest

from callmissed.errors import ApiError
from callmissed.platform.routes import Auth, Route
from local.api_gateway.resources import find_route, resources

PATHS = ("/hooks/{id}", "/hooks/whatsapp", "/hooks/{id}/tries/{number}", "/models/{name+}", "/models/free", "/a.b")
FOUND = resources(
    [
        *(Route("GET", path, "inference" if "models" in path else path, Auth.PUBLIC) for path in PATHS),
        Route("PUT", PATHS[0], "p", Auth.PUBLIC),
    ]
)


@pytest.mark.parametrize(
    ("path", "template", "parameters"),
    [
        ("/hooks/wh_1", "/hooks/{id}", {"id": "wh_1"}),
        ("/hooks/a%2Fb", "/hooks/{id}", {"id": "a%2Fb"}),
        ("/hooks/whatsapp", "/hooks/whatsapp", {}),
        ("/hooks/wh_1/tries/2", "/hooks/{id}/tries/{number}", {"id": "wh_1", "number": "2"}),
        ("/models/openai/gpt%205", "/models/{name+}", {"name": "openai/gpt%205"}),
        ("/models/free", "/models/free", {}),
    ],
)
def test_the_most_literal_template_wins(path: str, template: str, parameters: dict[str, str]) -> None:
    route, found = find_route(FOUND, "GET", path)
    assert (route.path, found) == (template, parameters)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/hooks/whatsapp"),  # the literal template has no PUT, and API Gateway looks at no other
        ("DELETE", "/hooks/wh_1"),
        ("GET", "/hooks/"),
        ("GET", "/hooks/wh_1/tries"),
        ("GET", "/models/"),
        ("GET", "/axb"),
    ],
)
def test_no_other_path_or_method_is_found(method: str, path: str) -> None:
    with pytest.raises(ApiError, match="no such route"):
        find_route(FOUND, method, path)


def test_preflights_are_found_where_they_are_answered() -> None:
    assert find_route(FOUND, "OPTIONS", "/models/free")[0].path == "/models/free"
    with pytest.raises(ApiError, match="no such route"):
        find_route(FOUND, "OPTIONS", "/hooks/whatsapp")
