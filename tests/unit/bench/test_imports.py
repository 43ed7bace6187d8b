"""Which modules the import measurement takes for entries."""

from bench.imports import AUTHORIZER_ENTRY, CLIENT, REFERENCE, authorizer_ratio, entry_codes, ratios


def test_every_deployable_function_and_the_reference_are_measured():
    names = set(entry_codes())
    assert {
        REFERENCE,
        CLIENT,
        "functions.auth.handlers.authorizer",
        "functions.inference.app",
        "functions.billing.handlers.ledger_sweep",
    } <= names


def test_ratios_are_multiples_of_the_reference():
    assert ratios({REFERENCE: 200.0, CLIENT: 100.0, "an.entry": 250.0}) == {"an.entry": 1.25}


def test_the_authorizer_is_compared_with_a_client_alone():
    assert authorizer_ratio({REFERENCE: 200.0, CLIENT: 100.0, AUTHORIZER_ENTRY: 80.0}) == 0.8
