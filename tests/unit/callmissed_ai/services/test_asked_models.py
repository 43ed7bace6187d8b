"""Calls whose caller names the models."""

from callmissed.catalog.loader import load_catalog
from callmissed.tenants.tenants import TenantSettings
from callmissed_ai.services import images


def test_settings_change_no_call_whose_model_was_named() -> None:
    work = images.parse(load_catalog(), {"model": "sandbox-image", "prompt": "A lighthouse"}, 0)

    assert not work.follows_settings
    assert work.following(TenantSettings(default_search_provider="exa")) is work
