"""Settings that every function shares, read from the environment once."""

import os
from collections.abc import Mapping
from functools import cached_property

from pydantic import BaseModel, ConfigDict


class CoreSettings(BaseModel):
    """Where and as what this process runs. Fields come from `CALLMISSED_<NAME>` and AWS's own variables.

    `snapshotted` says that Lambda freezes the started process and restores it many times (SnapStart).
    """

    model_config = ConfigDict(frozen=True, ignored_types=(cached_property,))

    stage: str = "local"
    region: str = "ap-south-1"
    dynamodb_endpoint: str | None = None
    peppers: str = ""
    pepper_secret_arn: str = ""
    providers_file: str = ""
    provider_keys_secret_arn: str = ""
    snapshotted: bool = False

    @cached_property
    def pepper_ring(self) -> tuple[bytes, ...]:
        """The live peppers, the current one first. Raises ValueError when there is none or one is too short."""
        text = self.peppers or _secret(self.pepper_secret_arn, self.region)
        ring = tuple(bytes.fromhex(part.strip()) for part in text.split(",") if part.strip())
        if not ring or any(len(pepper) < 16 for pepper in ring):
            raise ValueError("at least one pepper of 16 bytes or more, in hex, is needed")
        return ring

    @cached_property
    def provider_environment(self) -> Mapping[str, str]:
        """Where providers' API keys are looked up: the environment, and above it the provider-keys secret."""
        if not self.provider_keys_secret_arn:
            return os.environ
        return {**os.environ, **_secret_object(self.provider_keys_secret_arn, self.region)}


def from_environment(environment: Mapping[str, str] | None = None) -> CoreSettings:
    """Settings of this process. Raises pydantic.ValidationError naming a variable that is wrong."""
    source = os.environ if environment is None else environment
    values = {name: source[f"CALLMISSED_{name.upper()}"] for name in CoreSettings.model_fields if _given(source, name)}
    region = source.get("AWS_REGION") or source.get("AWS_DEFAULT_REGION")
    snapshotted = source.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start"
    given = {"snapshotted": snapshotted} | ({"region": region} if region else {})
    return CoreSettings.model_validate(values | given)


def _given(source: Mapping[str, str], name: str) -> bool:
    return bool(source.get(f"CALLMISSED_{name.upper()}"))


def _secret(arn: str, region: str) -> str:
    from callmissed.aws.secrets import read_secret  # boto3 is needed only where secrets come from AWS

    return read_secret(arn, region) if arn else ""


def _secret_object(arn: str, region: str) -> dict[str, str]:
    import json

    return json.loads(_secret(arn, region) or "{}")
