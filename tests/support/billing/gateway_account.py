"""The account at the payment gateway, in the environment, where functions on one machine find it."""

from collections.abc import Mapping

from local.fakes.cashfree.fake import APP_ID

SECRET_KEY = "cfsk_test_5d1c"
GATEWAY_ACCOUNT: Mapping[str, str] = {"CASHFREE_APP_ID": APP_ID, "CASHFREE_SECRET_KEY": SECRET_KEY}
