"""Paths of the repository."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The folder with `node_modules`, `docs` and the sources."""
