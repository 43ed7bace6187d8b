"""`python -m rehearsal.templates.synthesis FOLDER`: the stage of the rehearsal, synthesised with its bundles.

A process of its own, because the CDK takes seconds to import and has a helper process.
"""

import json
import subprocess
import sys
from pathlib import Path

from local.aws.account import REGION
from local.paths import ROOT
from rehearsal.errors import RehearsalError

STAGE = "rehearsal"
ALARM_EMAIL = "operator@example.com"


def synthesise(folder: Path) -> None:
    """Write the assembly of the stage into `folder`, offline. Raises RehearsalError with what the CDK said."""
    command = [sys.executable, "-m", "rehearsal.templates.synthesis", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 our own module
    if done.returncode:
        raise RehearsalError(f"the synthesis failed:\n{done.stderr}")


def main(folder: Path) -> None:
    """Synthesise in this process."""
    from aws_cdk import App

    from infra.app import build
    from infra.config import StageConfig

    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    app = App(outdir=str(folder), context=context)
    build(app, StageConfig(stage=STAGE, region=REGION, alarm_email=ALARM_EMAIL))
    app.synth()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
