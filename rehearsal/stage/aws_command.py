"""`python -m rehearsal.stage.aws_command aws|npx …`: what the guide's commands run instead of the real programs."""

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import jmespath
from botocore import xform_name
from botocore.exceptions import ClientError

from rehearsal.stage.engines import Engines

_WITHOUT_ENGINE = ("cloudformation",)
_TABLE_WAITER = "wait"
_GLOBAL_OPTIONS = ("query", "output", "region", "profile", "cli-binary-format")


def main(arguments: Sequence[str]) -> None:
    """Do one command. Ends with status 254 for what AWS would refuse, as the AWS CLI does."""
    program, *words = arguments
    if program == "npx" or words[0] in _WITHOUT_ENGINE:
        with Path(os.environ["REHEARSAL_RECORD"]).open("a") as record:
            record.write(json.dumps([program, *words]) + "\n")
        return
    engines = Engines(os.environ["REHEARSAL_DYNAMODB"], os.environ["REHEARSAL_AWS"])
    try:
        if words[:2] == ["s3", "rb"]:
            _remove_bucket(engines, words[-1].removeprefix("s3://"), force="--force" in words)
        else:
            _call(engines, words[0], words[1], words[2:])
    except ClientError as error:
        sys.exit(_complain(str(error), 254))


def _call(engines: Engines, service: str, operation: str, words: Sequence[str]) -> None:
    client = engines.client(service)
    if operation == "wait":
        client.get_waiter(xform_name(words[0].replace("-", "_"))).wait(**_parameters(client, _TABLE_WAITER, words[1:]))
        return
    name = next((each for each in client.meta.service_model.operation_names if _kebab(each) == operation), None)
    if name is None:
        sys.exit(_complain(f"aws {service}: no operation '{operation}'", 252))
    answer = getattr(client, xform_name(name))(**_parameters(client, name, words))
    options = dict(_options(words))
    answer.pop("ResponseMetadata", None)
    query = options.get("query")
    _show(jmespath.search(query, answer) if query else answer, options.get("output") or "json")


def _parameters(client: Any, operation: str, words: Sequence[str]) -> dict[str, Any]:
    members = _members(client, operation)
    given: dict[str, Any] = {}
    for option, value in _options(words):
        if option in _GLOBAL_OPTIONS:
            continue
        positive = option.removeprefix("no-")
        name = next((each for each in members if _kebab(each) in (option, positive)), None)
        if name is None:
            sys.exit(_complain(f"aws: unknown option --{option}", 252))
        given[name] = _value(members[name], value, positive=_kebab(name) == option)
    return given


def _members(client: Any, operation: str) -> Mapping[str, Any]:
    """The parameters of an operation by name, with their shapes."""
    if operation == _TABLE_WAITER:
        operation = "DescribeTable"
    return client.meta.service_model.operation_model(operation).input_shape.members


def _options(words: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """Options with their values; the values of one option that follow each other are joined by a space."""
    name, values = "", list[str]()
    for word in words:
        if word.startswith("--"):
            if name:
                yield name, " ".join(values) if values else None
            name, values = word.removeprefix("--"), []
        else:
            values.append(word)
    if name:
        yield name, " ".join(values) if values else None


def _value(shape: Any, text: str | None, *, positive: bool) -> Any:
    if shape.type_name == "boolean" and text is None:
        return positive
    if shape.type_name in ("integer", "long"):
        return int(text or 0)
    if shape.type_name == "list":
        return [_value(shape.member, each, positive=True) for each in (text or "").split(" ")]
    if shape.type_name == "structure":
        return _structure(shape, text or "")
    return text


def _structure(shape: Any, text: str) -> dict[str, Any]:
    """A structure in the AWS CLI's shorthand: `Key=name,Values=a,b`."""
    pairs = re.findall(r"(\w+)=(.*?)(?=,\w+=|$)", text)
    members = {name: value.split(",") if shape.members[name].type_name == "list" else value for name, value in pairs}
    return {
        name: value.lower() == "true" if shape.members[name].type_name == "boolean" else value
        for name, value in members.items()
    }


def _kebab(name: str) -> str:
    return xform_name(name, "-")


def _show(value: Any, output: str) -> None:
    if output == "text":
        flat = cast("list[Any]", value) if isinstance(value, list) else [value]
        text = "\t".join("None" if each is None else str(each) for each in flat)
    else:
        text = json.dumps(value, indent=4, default=str)
    sys.stdout.write(text + "\n")


def _remove_bucket(engines: Engines, name: str, *, force: bool) -> None:
    s3 = engines.client("s3")
    if force:
        for found in s3.list_objects_v2(Bucket=name).get("Contents", []):
            s3.delete_object(Bucket=name, Key=found["Key"])
    s3.delete_bucket(Bucket=name)


def _complain(text: str, status: int) -> int:
    sys.stderr.write(text + "\n")
    return status


if __name__ == "__main__":
    main(sys.argv[1:])
