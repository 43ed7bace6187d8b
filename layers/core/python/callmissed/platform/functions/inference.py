"""The inference slice's functions."""

from callmissed.platform.functions.function import ADMIT_KEYS, IDEMPOTENT_ANSWERS, Function
from callmissed.platform.resources import (
    IMAGES_BUCKET,
    PEPPERS,
    PROVIDER_KEYS,
    PROVIDERS_FILE,
    RESPONSES_BUCKET,
    STORED_RESPONSES,
)
from callmissed.platform.tables import DOMAINS, IDEMPOTENCY, IMAGES, KEYS, LEDGER, RESPONSES, TENANTS, WALLETS

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
    },
    needs=(PEPPERS, PROVIDER_KEYS, PROVIDERS_FILE, RESPONSES_BUCKET, STORED_RESPONSES, IMAGES_BUCKET),
    snap_start=True,
    model_actions=("bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"),
)

FUNCTIONS = (INFERENCE,)
