"""The inference slice's functions."""

from callmissed.platform.functions.function import ADMIT_KEYS, IDEMPOTENT_ANSWERS, READ_WRITE, Function, Schedule
from callmissed.platform.resources import (
    FILES_BUCKET,
    IMAGES_BUCKET,
    PEPPERS,
    PROVIDER_KEYS,
    PROVIDERS_FILE,
    RESPONSES_BUCKET,
    STORED_RESPONSES,
)
from callmissed.platform.tables import DOMAINS, FILES, IDEMPOTENCY, IMAGES, KEYS, LEDGER, RESPONSES, TENANTS, WALLETS

INFERENCE = Function(
    "inference",
    slice="inference",
    web_app="functions.inference.app:app",
    dependencies="inference",
    layers=("ai",),
    memory_mb=1024,
    timeout_seconds=900,
    tables={
        KEYS.name: ADMIT_KEYS,
        WALLETS.name: (
            "dynamodb:BatchGetItem",
            "dynamodb:ConditionCheckItem",
            "dynamodb:PutItem",
            "dynamodb:UpdateItem",
        ),
        LEDGER.name: ("dynamodb:GetItem", "dynamodb:PutItem"),
        TENANTS.name: ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"),
        DOMAINS.name: ("dynamodb:Query",),
        IDEMPOTENCY.name: IDEMPOTENT_ANSWERS,
        RESPONSES.name: ("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem"),
        IMAGES.name: ("dynamodb:PutItem", "dynamodb:Query"),
        FILES.name: READ_WRITE,
    },
    needs=(PEPPERS, PROVIDER_KEYS, PROVIDERS_FILE, RESPONSES_BUCKET, STORED_RESPONSES, IMAGES_BUCKET, FILES_BUCKET),
    snap_start=True,
    model_actions=("bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"),
)

FILES_SWEEP = Function(
    "files-sweep",
    slice="inference",
    handler="functions.inference.handlers.files_sweep.handler",
    timeout_seconds=300,
    tables={FILES.name: ("dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem")},
    indexes={FILES.name: ("dynamodb:Query",)},
    needs=(FILES_BUCKET,),
)

FUNCTIONS = (INFERENCE, FILES_SWEEP)
SCHEDULES = (Schedule("files-sweep", FILES_SWEEP.name, "rate(1 hour)", "delete files that have expired or never came"),)
