"""The layers of one stack: our own packages, and third-party ones, as its functions declare them."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from callmissed.platform.functions import Function
from infra.bundling import assets
from infra.config import StageConfig

RUNTIME = lambda_.Runtime.PYTHON_3_13
ARCHITECTURE = lambda_.Architecture.ARM_64

_CORE = "core"


class Layers:
    """Versions of the layers that `functions` need. Make one per stack: an exported layer could never change."""

    def __init__(self, scope: Construct, config: StageConfig, functions: Sequence[Function]) -> None:
        self._scope = scope
        self._config = config
        own = _sorted([_CORE], *(function.layers for function in functions))
        third_party = _sorted(function.dependencies for function in functions)
        self._own = {name: self._layer(name, partial(assets.own_layer, name)) for name in own}
        self._third_party = {
            name: self._layer(f"deps-{name}", partial(assets.third_party_layer, name)) for name in third_party
        }

    def of(self, function: Function) -> list[lambda_.ILayerVersion]:
        """The layers of `function`, in the order of Lambda's search path."""
        own = (self._own[name] for name in function.layers)
        return [self._own[_CORE], self._third_party[function.dependencies], *own]

    def _layer(self, name: str, folder: Callable[[], Path]) -> lambda_.ILayerVersion:
        return lambda_.LayerVersion(  # pyright: ignore[reportReturnType]
            self._scope,
            f"Layer-{name}",
            code=lambda_.Code.from_asset(str(folder() if self._config.bundle else assets.placeholder())),
            compatible_architectures=[ARCHITECTURE],
            compatible_runtimes=[RUNTIME],
        )


def _sorted(*names: Iterable[str]) -> list[str]:
    return sorted({name for group in names for name in group})
