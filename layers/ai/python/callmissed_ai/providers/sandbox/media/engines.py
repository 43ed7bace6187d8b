"""Programs that speak, where the machine has them: flite for English, espeak-ng for many languages.

Both run as processes of their own. docs/sandbox.md says how to install them.
"""

import re
import shutil
import subprocess
import tempfile
from array import array
from dataclasses import dataclass
from pathlib import Path

from callmissed_ai.audio.wav import samples_start
from callmissed_ai.providers.sandbox.media.samples import samples_of

MAX_SECONDS = 20.0
"""An engine that takes longer is stopped, and a tone takes its place."""

_RATE_PLACE = slice(24, 28)
_WORDS_PER_MINUTE = 175
_LATIN = re.compile(r"[A-Za-z0-9]")
"""flite says nothing of other letters."""

_CODES = {"od": "or"}
"""Languages that espeak-ng has by other codes."""


@dataclass(frozen=True, slots=True)
class Voice:
    """What an engine said: samples at a rate."""

    engine: str
    samples: "array[int]"
    rate: int


def spoken_by_engine(text: str, language: str, speed: float) -> Voice | None:
    """The `text` by the first engine that knows the language, None where none does. Waits for the engine."""
    with tempfile.TemporaryDirectory() as folder:
        written, file = Path(folder, "text"), Path(folder, "speech.wav")
        written.write_text(text, encoding="utf-8")
        for engine, command in _commands(written, file, language, speed, has_latin=bool(_LATIN.search(text))):
            if shutil.which(command[0]) and _runs(command) and file.exists():
                return _voice(engine, file.read_bytes())
    return None


def _commands(text: Path, file: Path, language: str, speed: float, *, has_latin: bool) -> list[tuple[str, list[str]]]:
    flite = ["flite", "-voice", "rms", "--setf", f"duration_stretch={1 / speed:.3f}", "-f", str(text), "-o", str(file)]
    words = str(round(_WORDS_PER_MINUTE * speed))
    espeak = ["espeak-ng", "-v", _CODES.get(language, language), "-s", words, "-f", str(text), "-w", str(file)]
    return [("flite", flite), ("espeak-ng", espeak)] if language == "en" and has_latin else [("espeak-ng", espeak)]


def _runs(command: list[str]) -> bool:
    """Whether the command ends well in time."""
    try:
        ran = subprocess.run(  # noqa: S603  the words are ours but for a language of letters; the text is in a file
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=MAX_SECONDS
        )
    except subprocess.TimeoutExpired:
        return False
    return ran.returncode == 0


def _voice(engine: str, file: bytes) -> Voice | None:
    start = samples_start(file)
    if start is None:
        return None
    return Voice(engine, samples_of(file[start:]), int.from_bytes(file[_RATE_PLACE], "little"))
