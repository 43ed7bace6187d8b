"""`python -m infra.sizes`: the unzipped size of each function with its layers."""

from rich.console import Console
from rich.table import Table

from callmissed.platform.functions import FUNCTIONS
from infra.bundling.assets import function_code, function_layers, unzipped_bytes

MEGABYTE = 1_000_000


def sizes() -> dict[str, int]:
    """Unzipped bytes by function, layers included; the Web Adapter's layer, which AWS keeps, is not."""
    folders = {function.name: [function_code(function), *function_layers(function)] for function in FUNCTIONS}
    return {name: sum(map(unzipped_bytes, parts)) for name, parts in folders.items()}


def main() -> None:
    """Print the table, building what is missing."""
    table = Table("function", "dependencies", "MB unzipped")
    weights = sizes()
    for function in FUNCTIONS:
        table.add_row(function.name, function.dependencies, f"{weights[function.name] / MEGABYTE:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
