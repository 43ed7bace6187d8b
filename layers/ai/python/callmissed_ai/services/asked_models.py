"""Calls whose caller names the models: the payer may use them or not, and no setting of its tenant changes them."""

from typing import TypeVar

from callmissed.errors import ApiError
from callmissed.plans.plans import limits
from callmissed.tenants.tenants import TenantSettings
from callmissed_ai.work import PayerAccess, Work

AnyWork = TypeVar("AnyWork", bound=Work)


class AskedModels:
    """A part of `Work`. A model that was asked for is not replaced by another."""

    __slots__ = ()

    follows_settings = False

    def permitted(self: AnyWork, access: PayerAccess) -> AnyWork:
        """The same call. Raises ApiError 403 where the payer's key or plan lacks one of its models."""
        allowed = limits(access.plan).allows
        for model in self.models:
            if not {"*", model.billed_id} & access.models:
                raise ApiError(
                    403, "model_not_allowed", f"This API key may not use '{model.billed_id}'.", param="model"
                )
            if not access.is_sandboxed and not allowed(model.free):
                raise _model_not_available(model.billed_id)
        return self

    def following(self: AnyWork, settings: TenantSettings) -> AnyWork:
        """The same call."""
        return self


def _model_not_available(model_id: str) -> ApiError:
    message = (
        f"Model '{model_id}' requires a paid plan. See GET /api/v1/models/access for the models of each plan. "
        "Upgrade to use it."
    )
    return ApiError(403, "model_not_available", message, param="model")
