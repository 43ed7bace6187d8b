"""The providers file: the stage's parameter, or the object that the deployed `inference` reads instead."""

from botocore.exceptions import ClientError

from callmissed.catalog.loader import load_catalog
from callmissed.catalog.model import Catalog, CatalogError
from callmissed.platform.functions import INFERENCE
from callmissed.platform.resources import PROVIDERS_FILE
from cli.checks.finding import CheckedStage, Finding, Severity, code_of, is_denied, ok
from cli.checks.functions import live_configuration

_MISSING = ("ParameterNotFound", "NoSuchKey", "NoSuchBucket")


def read_catalog(stage: CheckedStage) -> tuple[Catalog, Finding]:
    """The catalog, built-in if the file is wrong, and what there is to say of the file. Raises botocore's errors."""
    url = _object_url(stage)
    name = url or PROVIDERS_FILE.physical_name(stage.name)
    put = f"aws ssm put-parameter --name {name} --overwrite --tier Intelligent-Tiering --value file://providers.toml"
    put = f"aws s3 cp providers.toml {url}" if url else put
    try:
        text = _object(stage, url) if url else _parameter(stage, name)
        return load_catalog(text, source=name), ok(name, "can be read")
    except ClientError as error:
        if code_of(error) not in _MISSING:
            raise
        return load_catalog(), Finding(name, Severity.BLOCKS, "does not exist", put if url else stage.deploy("data"))
    except (CatalogError, UnicodeDecodeError) as error:
        return load_catalog(), Finding(name, Severity.BLOCKS, str(error), put)


def _object_url(stage: CheckedStage) -> str:
    """`s3://…` where the stage has `providers_object`; empty where not, or where functions may not be read."""
    try:
        configuration = live_configuration(stage, INFERENCE) or {}
    except ClientError as error:
        if not is_denied(error):
            raise
        return ""
    source: str = configuration.get("Environment", {}).get("Variables", {}).get(PROVIDERS_FILE.variable, "")
    return source if source.startswith("s3://") else ""


def _parameter(stage: CheckedStage, name: str) -> str:
    return stage.clients("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]


def _object(stage: CheckedStage, url: str) -> str:
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return stage.clients("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode()
