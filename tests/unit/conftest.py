"""Hypothesis without deadlines: a busy machine is no failure. Leaves the name of the profile as it is."""

from hypothesis import HealthCheck, settings

if settings.get_current_profile_name() == "default":
    patient = settings(settings.get_profile("default"), deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.register_profile("default", patient)
    settings.load_profile("default")
