"""`python -m infra.sizes`: what each function weighs unzipped, with its layers."""

from rich.console import Console
from rich.table import Table

from callmissed.platform.functions import FUNCTIONS, Function
from infra.constructs.bundling import function_code, own_layer, third_party_layer, unzipped_bytes

MEGABYTE = 1_000_000


def sizes() -> dict[str, int]:
    """Unzipped bytes by function, layers included; the Web Adapter's layer, which AWS keeps, is not."""
    return {function.name: unzipped_bytes(third_party_layer()) + _own(function) for function in FUNCTIONS}


def main() -> None:
    """Print the table, building what is missing."""
    table = Table(
        "function", "MB unzipped", title=f"third-party layer {_megabytes(unzipped_bytes(third_party_layer()))} MB"
    )
    for name, size in sizes().items():
        table.add_row(name, _megabytes(size))
    Console().print(table)


def _own(function: Function) -> int:
    folders = [function_code(function), *map(own_layer, ("core", *function.layers))]
    return sum(map(unzipped_bytes, folders))


def _megabytes(size: int) -> str:
    return f"{size / MEGABYTE:.1f}"


if __name__ == "__main__":
    main()
