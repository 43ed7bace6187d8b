"""The folders that become layers and functions, built once per content and kept under `.build/`.

Nothing here talks to AWS or Docker. A third-party layer needs the package index once; after that, and for
everything else, building works offline.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from callmissed.platform.functions import Function
from infra.bundling.bytecode import add_bytecode, interpreter
from infra.bundling.elf import drop_unmapped_tail
from infra.bundling.requirements import TRIMMING, layer_requirements, trimming
from infra.bundling.uv import ROOT, uv

BUILD = ROOT / ".build"
_RUN_SCRIPT = """#!/bin/sh
export PYTHONPATH="$LAMBDA_TASK_ROOT:/opt/python"
exec python -m uvicorn {web_app} --host 127.0.0.1 --port "$AWS_LWA_PORT" --loop uvloop --http httptools \\
    --timeout-keep-alive 75 --no-access-log --no-server-header --no-proxy-headers --log-level warning
"""


@dataclass(frozen=True, slots=True)
class BuildTarget:
    """Target of a third-party layer: uv's names of a platform and a Python version."""

    platform: str
    python: str


LAMBDA = BuildTarget("aarch64-manylinux_2_28", "3.13")
"""Amazon Linux 2023 on Graviton has glibc 2.34, so wheels of 2014 and of 2.28 both run; some have only the latter."""


def third_party_layer(name: str, target: BuildTarget = LAMBDA) -> Path:
    """The folder of the layer that `layers/deps/<name>.toml` describes.

    Raises LayerRecipeError, and CalledProcessError when uv can't read the lock or install.
    """
    requirements = layer_requirements(name)
    recipe = [_source(__file__), _source("elf.py"), str(interpreter(target.python) is None)]
    key = _digest([requirements, TRIMMING.read_text(), str(target), *recipe])
    return _built(
        f"deps-{name}-{target.platform}-{target.python}", key, lambda out: _install(requirements, target, out)
    )


def own_layer(name: str) -> Path:
    """The folder of the layer with the package below `layers/<name>/python`: `core`, or what a function declares."""
    source = ROOT / "layers" / name / "python"
    return _built(f"layer-{name}", _digest(_own_recipe(source)), lambda out: _compiled(source, out, out / "python"))


def function_layers(function: Function, target: BuildTarget = LAMBDA) -> list[Path]:
    """The folders of the layers of `function`, in the order of Lambda's search path. The Web Adapter's is AWS's own."""
    third_party = third_party_layer(function.dependencies, target)
    return [own_layer("core"), third_party, *map(own_layer, function.layers)]


def function_code(function: Function) -> Path:
    """The folder of `function`'s own code: its slice, and for a web app the script that starts it."""
    source = ROOT / "functions" / function.slice
    key = _digest([*_own_recipe(source), str(function.web_app), _RUN_SCRIPT])
    return _built(function.name, key, lambda out: _lay_out(function, source, out))


def placeholder() -> Path:
    """A placeholder folder for assets, when only templates are needed."""
    return _built("placeholder", "0", lambda out: (out.mkdir(), (out / "placeholder").touch()))


def unzipped_bytes(folder: Path) -> int:
    """Size of all files in `folder`, in bytes, as Lambda counts them."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _built(name: str, key: str, fill: Callable[[Path], object]) -> Path:
    folder = BUILD / name
    done = folder / key[:16]
    if not done.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=BUILD) as scratch:
            fill(Path(scratch) / "out")
            _put_in_place(Path(scratch) / "out", done)
    return done


def _put_in_place(fresh: Path, done: Path) -> None:
    stale = [folder for folder in done.parent.iterdir() if folder != done]
    try:
        fresh.rename(done)
    except OSError:  # another build of the same content came first
        if not done.exists():
            raise
    for folder in stale:
        shutil.rmtree(folder, ignore_errors=True)


def _install(requirements: str, target: BuildTarget, out: Path) -> None:
    packages = out / "python"
    packages.mkdir(parents=True)
    listing = out / "requirements.txt"
    listing.write_text(requirements)
    # Copies, not links: pruning would reach into uv's cache.
    command = ["pip", "install", "--target", str(packages), "--link-mode", "copy", "--no-deps", "--require-hashes"]
    command += ["--python-platform", target.platform, "--python-version", target.python]
    uv([*command, "--only-binary", ":all:", "--requirements", str(listing)])
    listing.unlink()
    _prune(packages)
    add_bytecode(packages, target.python)


def _prune(packages: Path) -> None:
    for pattern in trimming("prune"):
        _remove(packages.glob(pattern))
    models = (packages / "botocore" / "data").glob("*/")
    _remove(folder for folder in models if folder.name not in trimming("aws_services"))
    for library in packages.rglob("*.so*"):
        drop_unmapped_tail(library)


def _remove(paths: Iterable[Path]) -> None:
    for path in list(paths):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _own_recipe(source: Path) -> list[str]:
    return [_digest_tree(source), str(interpreter(LAMBDA.python) is None)]


def _compiled(source: Path, out: Path, to: Path) -> None:
    _copy(source, to)
    add_bytecode(out, LAMBDA.python)


def _lay_out(function: Function, source: Path, out: Path) -> None:
    _copy(source, out / "functions" / function.slice)
    shutil.copyfile(source.parent / "__init__.py", out / "functions" / "__init__.py")
    add_bytecode(out, LAMBDA.python)
    if function.web_app:
        script = out / "run.sh"
        script.write_text(_RUN_SCRIPT.format(web_app=function.web_app))
        script.chmod(0o755)


def _copy(source: Path, to: Path) -> None:
    shutil.copytree(source, to, ignore=shutil.ignore_patterns("__pycache__"))


def _source(name: str) -> str:
    return (Path(__file__).parent / name).read_text()


def _digest_tree(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return _digest(part for path in files for part in (str(path.relative_to(folder)), path.read_bytes()))


def _digest(parts: Iterable[str | bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()
