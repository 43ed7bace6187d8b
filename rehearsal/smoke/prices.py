"""The smoke test of prices: a providers file that an operator previews and imports."""

from botocore.credentials import Credentials

from cli.errors import CommandError
from cli.operator_api import OperatorApi
from local.aws.account import OPERATOR_ACCESS_KEY, REGION
from rehearsal.errors import SmokeError
from rehearsal.runtime.api_front import OPERATOR_SECRET

_FILE = """
[[models]]
id = "rehearsal"
provider = "sandbox"
upstream_id = "sandbox"
input = 1
output = 2
context_window = 128000
"""


async def import_prices(url: str) -> None:
    """Add a model to the stage at `url`. Raises SmokeError."""
    operator = OperatorApi(url, REGION, Credentials(OPERATOR_ACCESS_KEY, OPERATOR_SECRET))
    try:
        preview = await operator.call("POST", "/prices/preview", {"providers": _FILE})
        wanted = {"providers": _FILE, "version": preview["version"], "reason": "rehearsal"}
        imported = await operator.call("POST", "/prices/import", wanted)
    except CommandError as error:
        raise SmokeError(f"prices can't be imported: {error}") from error
    if (preview["added"], imported["imported"]) != (1, True):
        raise SmokeError(f"the import of prices says {imported}, its preview {preview}")
