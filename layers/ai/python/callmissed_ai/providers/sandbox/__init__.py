"""The sandbox: the built-in provider that needs no account and no network. See docs/sandbox.md.

Nothing is imported here: every process may need `refusal`, and few need `provider`, which is large.
"""
