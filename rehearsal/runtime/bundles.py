"""The code of a function as Lambda would unpack it, from the assets of the assembly."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import files
from pathlib import Path
from platform import machine

from infra.bundling.assets import BuildTarget, third_party_layer
from rehearsal.errors import UnsupportedError
from rehearsal.templates.assembly import Asset, CloudAssembly
from rehearsal.templates.plan import DeploymentPlan, PlannedResource

_CLIENT = ("awslambdaric", "simplejson", "snapshot-restore-py")
"""AWS's runtime client and what it needs: what Lambda has beside the bundle, but without its boto3."""

_THIRD_PARTY = "Layer-deps-"
_WEB_ADAPTER = ":layer:LambdaAdapterLayer"


@dataclass(frozen=True, slots=True)
class FunctionBundle:
    """`code` is the folder of `/var/task`, `layers` those that go to `/opt`, the last one on top."""

    code: Path
    layers: Sequence[Path]
    web_adapter: bool

    @property
    def python_path(self) -> list[str]:
        """The folders of the layers in the order in which Python must search them."""
        return [str(layer / "python") for layer in reversed(self.layers)]


def bundle_of(function: PlannedResource, plan: DeploymentPlan, assembly: CloudAssembly) -> FunctionBundle:
    """The bundle of a planned function. Raises UnsupportedError for a layer that is neither ours nor the adapter's."""
    layers = {layer.identity.ref: layer for layer in plan.of("AWS::Lambda::LayerVersion")}
    folders: list[Path] = []
    adapter = False
    for arn in function.properties.get("Layers", []):
        if arn in layers:
            folders.append(_layer(_asset(layers[arn].properties["Content"], assembly)))
        elif _WEB_ADAPTER in arn:
            adapter = True
        else:
            raise UnsupportedError(f"{function.path}: the rehearsal does not have the layer {arn}")
    return FunctionBundle(_asset(function.properties["Code"], assembly).folder, folders, adapter)


def lay_out_client(folder: Path) -> Path:
    """A folder with AWS's runtime client alone, so that a bundle finds nothing else of this machine's packages."""
    folder.mkdir(parents=True, exist_ok=True)
    for distribution in _CLIENT:
        for file in files(distribution) or ():
            top = file.parts[0]
            source = Path(str(file.locate())).parents[len(file.parts) - 1] / top
            if top not in ("..", "__pycache__") and not (folder / top).exists():
                (folder / top).symlink_to(source)
    return folder


def this_machine() -> BuildTarget:
    """The target that this interpreter can import."""
    architecture = {"arm64": "aarch64", "AMD64": "x86_64"}.get(machine(), machine())
    return BuildTarget(f"{architecture}-manylinux_2_28", f"{sys.version_info.major}.{sys.version_info.minor}")


def _asset(location: Mapping[str, str], assembly: CloudAssembly) -> Asset:
    return assembly.assets[location["S3Key"].partition(".")[0]]


def _layer(asset: Asset) -> Path:
    """The layer's folder; of a third-party layer, the one of the same recipe that this machine can import."""
    name = asset.construct.partition("/")[0]
    if name.startswith(_THIRD_PARTY):
        return third_party_layer(name.removeprefix(_THIRD_PARTY), this_machine())
    return asset.folder
