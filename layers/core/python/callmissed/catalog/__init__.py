"""The list of models with their prices, limits, abilities and providers.

`model` has the types, `loader` reads it from the TOML files under `rows/` and from the operator's file.
"""
