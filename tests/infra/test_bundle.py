"""The real bundle: its size, its contents, and that it runs with nothing else beside it.

What goes to Lambda is built for arm64, which this machine may not be; to run it, the same recipe is built once more
for the machine's own platform and Python.
"""

import ast
import json
import os
import platform
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from http.client import HTTPConnection
from pathlib import Path

import pytest

from callmissed.platform.functions import AUTHORIZER, FUNCTIONS, INFERENCE, Function
from callmissed.platform.resources import SEALING_KEYS
from infra.bundling.assets import (
    LAMBDA,
    ROOT,
    BuildTarget,
    function_code,
    function_layers,
    third_party_layer,
    unzipped_bytes,
)
from infra.bundling.bytecode import add_bytecode, interpreter
from infra.sizes import sizes
from tests.support.imports import third_party_imports

pytestmark = pytest.mark.xdist_group("bundle")
"""Two workers would build the same layers at once."""

MEGABYTE = 1_000_000
MB_WITH_BYTECODE = MEGABYTE if interpreter(LAMBDA.python) is None else 1_800_000
"""What a megabyte of a bundle becomes where the machine can compile it for Lambda."""

WEB_APPS = [function for function in FUNCTIONS if function.web_app]
IMPORT_ENTRY = """
import importlib, sys
paths, module, attribute = sys.argv[1].split(":"), sys.argv[2], sys.argv[3]
sys.path[:0] = paths
entry = importlib.import_module(module)
assert not attribute or callable(getattr(entry, attribute))
files = {str(loaded.__file__) for loaded in sys.modules.values() if getattr(loaded, "__file__", None)}
assert all(file.startswith(tuple(sys.path)) for file in files), files
print(sys.modules["callmissed"].__file__, entry.__file__)
"""

OPEN_TRANSPORT = """
import sys
paths, sdk = sys.argv[1].split(":"), sys.argv[2]
sys.path[:0] = paths
from callmissed.catalog.model import ProviderSettings
from callmissed_ai.transports.opening import open_transport
open_transport(ProviderSettings("lab", "openai_chat", "http://127.0.0.1:9/v1", transport=f"{sdk}_sdk"), {})
print(sys.modules[sdk].__file__)
"""


def this_machine() -> BuildTarget:
    """The target that this interpreter can import."""
    machine = {"arm64": "aarch64", "AMD64": "x86_64"}.get(platform.machine(), platform.machine())
    system = "apple-darwin" if sys.platform == "darwin" else "manylinux_2_28"
    return BuildTarget(f"{machine}-{system}", f"{sys.version_info.major}.{sys.version_info.minor}")


def runnable(function: Function) -> list[Path]:
    """The function's layers for this machine, in the order of Lambda's search path behind the function's own code."""
    return [layer / "python" for layer in function_layers(function, this_machine())]


def entry_of(function: Function) -> tuple[str, str]:
    """Module that the function starts with, and the handler in it; a web app's attribute needs an environment."""
    if function.web_app:
        return function.web_app.split(":")[0], ""
    module, _, attribute = (function.handler or "").rpartition(".")
    return module, attribute


@pytest.fixture(scope="module")
def unzipped() -> dict[str, int]:
    """Unzipped bytes by function."""
    return sizes()


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_function_fits_the_size_budget(unzipped: dict[str, int], function: Function) -> None:
    assert unzipped[function.name] <= min(60 * MB_WITH_BYTECODE, 90 * MEGABYTE)


EACH_LAYER = pytest.mark.parametrize("name", sorted({function.dependencies for function in FUNCTIONS}))


@EACH_LAYER
def test_third_party_layer_is_for_arm64_and_python_3_13(name: str) -> None:
    libraries = list(third_party_layer(name).rglob("*.so"))
    assert len(libraries) > 5
    machine = {int.from_bytes(library.read_bytes()[18:20], "little") for library in libraries}
    assert machine == {0xB7}, "ELF's number for aarch64"
    assert all("cpython-313-" in library.name or "abi3" in library.name for library in libraries)


@EACH_LAYER
def test_third_party_layer_leaves_out_what_no_function_needs(name: str) -> None:
    packages = third_party_layer(name) / "python"
    assert not (packages / "typer").exists()
    assert not list(packages.rglob("tests"))
    assert set(packages.rglob("*.pyc")) <= bytecode_for_lambda(packages)
    services = {path.name for path in (packages / "botocore" / "data").iterdir() if path.is_dir()}
    assert services >= aws_services_used() == {"events", "s3", "secretsmanager", "sesv2", "sqs", "ssm"}


def bytecode_for_lambda(folder: Path) -> set[Path]:
    """Where Lambda's Python finds the bytecode of each module below `folder`."""
    return {path.parent / "__pycache__" / f"{path.stem}.cpython-313.pyc" for path in folder.rglob("*.py")}


@cache
def aws_services_used() -> set[str]:
    """AWS services whose clients the functions' code makes."""
    sources = [*ROOT.glob("functions/**/*.py"), *ROOT.glob("layers/*/python/**/*.py")]
    nodes = [node for source in sources for node in ast.walk(ast.parse(source.read_text()))]
    return {service for node in nodes if isinstance(node, ast.Call) and (service := client_made_by(node))}


def client_made_by(call: ast.Call) -> str | None:
    """The service whose client is made by a `call` such as `client("s3", …)`."""
    match call:
        case ast.Call(
            func=ast.Name("client" | "_aws") | ast.Attribute(attr="client"), args=[ast.Constant(str(service)), *_]
        ):
            return service
        case _:
            return None


WORKERS = [function for function in FUNCTIONS if function.dependencies in ("worker", "publisher", "sender")]


@pytest.mark.parametrize("function", WORKERS, ids=lambda function: function.name)
def test_worker_carries_no_web_framework_and_no_sdk(unzipped: dict[str, int], function: Function) -> None:
    packages = third_party_layer(function.dependencies) / "python"
    carried = {path.name for path in packages.iterdir()}
    assert not carried & {"fastapi", "starlette", "uvicorn", "mangum", "openai", "tiktoken", "jsonschema", "twilio"}
    assert unzipped[function.name] <= 35 * MB_WITH_BYTECODE


def test_authorizer_carries_no_pydantic(unzipped: dict[str, int]) -> None:
    packages = third_party_layer(AUTHORIZER.dependencies) / "python"
    assert not list(packages.glob("pydantic*"))
    assert unzipped[AUTHORIZER.name] <= 26 * MB_WITH_BYTECODE


def clients(function: Function) -> set[str]:
    """The clients of AWS that the declaration calls for: ours for tables, boto3 for everything else."""
    others = function.needs or function.sends_to
    return ({"aiohttp"} if function.tables else set()) | ({"boto3"} if others else set())


OPTIONAL = {
    "PIL": "callmissed_ai.providers.sandbox.media.images",
    "pocketsphinx": "callmissed_ai.providers.sandbox.media.listening",
}
"""Packages that no layer has, and the module that does without."""


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_layers_hold_what_the_function_imports_at_its_start_or_later(function: Function) -> None:
    layers = [layer / "python" for layer in function_layers(function, LAMBDA)]
    present = {path.name.partition(".")[0] for layer in layers for path in layer.iterdir()}
    reached = third_party_imports(entry_of(function)[0])
    missing = {name: importer for name, importer in reached.items() if name not in present}
    assert missing.items() <= OPTIONAL.items()
    assert reached.keys() >= {"aws_lambda_powertools"} | clients(function)


OWN_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


def test_modules_are_compiled_alike_wherever_they_are(tmp_path: Path) -> None:
    """A bundle's content is its name in AWS, so bytes that differ would deploy functions anew."""
    for place in ("one", "other"):
        (tmp_path / place / "package").mkdir(parents=True)
        (tmp_path / place / "package" / "module.py").write_text("def f() -> None:\n    raise ValueError\n")
        add_bytecode(tmp_path / place, OWN_VERSION)
    [one], [other] = (list((tmp_path / place).rglob("*.pyc")) for place in ("one", "other"))
    assert one.read_bytes() == other.read_bytes()
    assert str(tmp_path).encode() not in one.read_bytes()


def test_bytecode_runs_without_a_look_at_its_source(tmp_path: Path) -> None:
    """Lambda's files have one date; comparing each with its bytecode would cost a start a thousand look-ups."""
    (tmp_path / "module.py").write_text("print('compiled')")
    add_bytecode(tmp_path, OWN_VERSION)
    (tmp_path / "module.py").write_text("print('changed')")
    done = subprocess.run([sys.executable, "-c", "import module"], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == "compiled\n"


def test_machine_without_lambdas_python_builds_without_bytecode(tmp_path: Path) -> None:
    (tmp_path / "module.py").touch()
    add_bytecode(tmp_path, "2.0")
    assert [path.name for path in tmp_path.iterdir()] == ["module.py"]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_every_module_of_a_bundle_is_compiled_where_the_machine_can(function: Function) -> None:
    for folder in (function_code(function), *function_layers(function, LAMBDA)):
        expected = bytecode_for_lambda(folder) if interpreter(LAMBDA.python) else set[Path]()
        assert set(folder.rglob("*.pyc")) == expected


def test_second_build_changes_nothing() -> None:
    first = third_party_layer("worker")
    before = first.stat().st_mtime_ns
    assert third_party_layer("worker") == first
    assert first.stat().st_mtime_ns == before


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_function_code_holds_its_own_slice_only(function: Function) -> None:
    code = function_code(function)
    names = {path.name for path in (code / "functions").iterdir()}
    assert names - {"__pycache__"} == {"__init__.py", function.slice}
    assert set(code.rglob("*.pyc")) <= bytecode_for_lambda(code)
    assert (code / "run.sh").exists() == bool(function.web_app)
    assert unzipped_bytes(code) > 0


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_entry_imports_from_the_bundle_alone(function: Function) -> None:
    search_path = [function_code(function), *runnable(function)]
    core, entry = imported(search_path, *entry_of(function))
    assert core.startswith(str(search_path[1]))
    assert entry.startswith(str(search_path[0]))


SEALING = [function for function in FUNCTIONS if SEALING_KEYS in function.needs]


@pytest.mark.parametrize("function", SEALING, ids=lambda function: function.name)
def test_sealing_imports_from_the_layers_alone(function: Function) -> None:
    """Its library is compiled, and imported only by those that seal."""
    layers = runnable(function)
    _, sealing = imported(layers, "callmissed.sealing", "Sealer")
    assert sealing.startswith(str(layers[0]))


@pytest.mark.parametrize("sdk", ["anthropic", "openai"])
def test_transport_of_an_sdk_opens_from_the_layers_alone(sdk: str) -> None:
    """What no transport uses of an SDK is left out of the layer."""
    layers = runnable(INFERENCE)
    command = [sys.executable, "-I", "-S", "-B", "-c", OPEN_TRANSPORT, ":".join(map(str, layers)), sdk]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(tuple(map(str, layers)))


def imported(search_path: list[Path], module: str, attribute: str) -> list[str]:
    """Import `module` with nothing else to import from. Files of the core and of the module."""
    command = [sys.executable, "-I", "-S", "-B", "-c", IMPORT_ENTRY, ":".join(map(str, search_path))]
    done = subprocess.run([*command, module, attribute], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@contextmanager
def started(function: Function, layers: list[Path], tools: Path) -> Generator[int]:
    """Run the bundle's own `run.sh` as the Web Adapter does; gives the port."""
    (tools / "python").symlink_to(Path(sys.executable).resolve())
    code = function_code(function)
    port = free_port()
    environment = {
        "PATH": f"{tools}{os.pathsep}{os.defpath}",
        "LAMBDA_TASK_ROOT": ":".join(map(str, [code, *layers])),
        "AWS_LWA_PORT": str(port),
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_EC2_METADATA_DISABLED": "true",
        "CALLMISSED_STAGE": "bundle",
        "CALLMISSED_PEPPERS": "00" * 32,
        "CALLMISSED_DYNAMODB_ENDPOINT": "http://127.0.0.1:9",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    process = subprocess.Popen([str(code / "run.sh")], cwd=code, env=environment)
    try:
        wait_until_answering(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_answering(port: int, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(600):
        assert process.poll() is None, f"run.sh ended with {process.returncode}"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("run.sh does not listen")


def status(port: int, method: str, path: str, resource: str | None = None) -> int:
    """Status of one request to the running bundle, of the adapter itself or passed on for `resource`."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        context = {"x-amzn-request-context": json.dumps({"resourcePath": resource})} if resource else {}
        connection.request(method, path, headers=context)
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("function", WEB_APPS, ids=lambda function: function.name)
def test_start_script_serves_what_the_adapter_asks_for(function: Function, tmp_path: Path) -> None:
    assert os.access(function_code(function) / "run.sh", os.X_OK)
    with started(function, runnable(function), tmp_path) as port:
        assert status(port, "GET", "/healthz") == 200
        assert status(port, "POST", "/_snapstart/before") in range(200, 300)
        assert status(port, "POST", "/_snapstart/after") in range(200, 300)
        assert status(port, "GET", "/api/v1/models", "/api/v1/models") == 200
        assert status(port, "GET", "/api/v1/models", "/api/v1/models/{model_id+}") == 404
