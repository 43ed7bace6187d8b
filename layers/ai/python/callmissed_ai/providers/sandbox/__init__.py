"""The sandbox: the built-in provider that needs no account and no network. See docs/sandbox.md.

Nothing is imported here: the router needs `failures`, and few processes need `provider`, which is large.
"""
