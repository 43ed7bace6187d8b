"""Physical names of what an operator, the command line and the stacks must agree on. Tables: see `tables`."""


def pepper_secret(stage: str) -> str:
    """The Secrets Manager secret with the peppers: hex, comma-separated, the current one first."""
    return f"callmissed/{stage}/peppers"


def sealing_secret(stage: str) -> str:
    """The Secrets Manager secret with the sealing keys: hex, comma-separated, the current one first."""
    return f"callmissed/{stage}/sealing-keys"


def event_bus(stage: str) -> str:
    """The EventBridge bus of platform events."""
    return f"callmissed-{stage}"


def responses_bucket(stage: str, account: str, region: str) -> str:
    """The S3 bucket of answers too long for a table. Names of buckets are worldwide, and have at most 63 characters."""
    return f"callmissed-{stage}-answers-{account}-{region}"


def provider_keys_secret(stage: str) -> str:
    """The Secrets Manager secret with the providers' API keys: a JSON object by environment variable name."""
    return f"callmissed/{stage}/provider-keys"


def providers_parameter(stage: str) -> str:
    """The SSM parameter that holds the operator's providers file (TOML)."""
    return f"/callmissed/{stage}/providers"


def function(stage: str, name: str) -> str:
    """The Lambda function `name` of the declarations."""
    return f"callmissed-{stage}-{name}"
