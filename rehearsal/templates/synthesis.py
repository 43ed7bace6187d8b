"""`python -m rehearsal.templates.synthesis FOLDER NAME…`: variants of the rehearsed stage, synthesised with bundles.

A process of its own, because the CDK takes seconds to import and has a helper process.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from local.aws.account import ACCOUNT, REGION
from local.paths import ROOT
from rehearsal.errors import RehearsalError

STAGE = "rehearsal"
DOMAIN = "api.example.com"
_EVERY_SETTING: Mapping[str, Any] = {
    "alarm_email": "operator@example.com",
    "certificate_arn": f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/rehearsal",
    "domain_name": DOMAIN,
    "firewall": False,
    "log_level": "DEBUG",
    "low_credits": 10,
    "public_url": f"https://{DOMAIN}",
    "reserved_concurrency": {"authorizer": 10},
    "revision": "1",
    "snap_start": True,
}
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "default": {},
    "every-setting": _EVERY_SETTING,
    "updated": {**_EVERY_SETTING, "revision": "2"},
}
"""Settings by the name of a variant of the stage. `updated` is deployed over `every-setting`."""


def synthesise(folder: Path, *variants: str) -> None:
    """Write the assembly of each variant into a folder of its name below `folder`, offline.

    Raises RehearsalError with what the CDK said.
    """
    command = [sys.executable, "-m", "rehearsal.templates.synthesis", str(folder), *variants]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 our own module
    if done.returncode:
        raise RehearsalError(f"the synthesis failed:\n{done.stderr}")


def main(folder: Path, variants: Sequence[str]) -> None:
    """Synthesise in this process."""
    from aws_cdk import App

    from infra.app import build
    from infra.config import StageConfig

    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    for variant in variants:
        app = App(outdir=str(folder / variant), context=context)
        build(app, StageConfig.model_validate({"stage": STAGE, "region": REGION, **VARIANTS[variant]}))
        app.synth()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
