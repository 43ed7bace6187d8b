"""Which modules the import measurement takes for entries."""

from bench.imports import REFERENCE, entry_codes, ratios


def test_every_deployable_function_and_the_reference_are_measured():
    names = set(entry_codes())
    assert {REFERENCE, "functions.inference.app", "functions.billing.sweep"} <= names


def test_ratios_are_multiples_of_the_reference():
    assert ratios({REFERENCE: 200.0, "an.entry": 250.0}) == {"an.entry": 1.25}
