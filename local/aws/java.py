"""The Java that runs DynamoDB Local."""

import shutil
import subprocess

from local.errors import JavaMissingError

JAVA_MAJOR = 17


def find_java() -> str:
    """Path of a Java that is new enough. Raises `JavaMissingError`."""
    java = shutil.which("java")
    if java is None:
        raise JavaMissingError(f"Java >= {JAVA_MAJOR} is needed for DynamoDB Local: 'java' is not on PATH")
    version = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr  # noqa: S603
    if _major(version) < JAVA_MAJOR:
        found = version.strip() or "none"
        raise JavaMissingError(f"Java >= {JAVA_MAJOR} is needed for DynamoDB Local: found {found!r}")
    return java


def _major(version: str) -> int:
    _, _, rest = version.partition('version "')
    digits = rest.split('"')[0].split(".")[0]
    return int(digits) if digits.isdigit() else 0
