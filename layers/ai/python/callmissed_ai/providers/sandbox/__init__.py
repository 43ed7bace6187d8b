"""The sandbox: the built-in provider that needs no account and no network. See docs/sandbox.md."""

from callmissed_ai.providers.sandbox.provider import SandboxProvider

__all__ = ["SandboxProvider"]
