"""The document of event types, from the models that make the events.

`python -m functions.webhooks.events.document` writes it to docs/api/events.json; a test checks that it is current.
"""

import json
from pathlib import Path
from typing import Any

from callmissed.events.types import catalogue

TARGET = Path(__file__).resolve().parents[3] / "docs" / "api" / "events.json"


def document() -> dict[str, Any]:
    """What `GET /api/v1/webhooks/event-types` answers."""
    return {"data": catalogue()}


if __name__ == "__main__":
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(json.dumps(document(), indent=2, ensure_ascii=False) + "\n")
