"""`callmissed coupons` on real tables."""

from callmissed.ids import new_id
from tests.support.cli import CommandLine


def test_a_coupon_is_made_listed_and_disabled(line: CommandLine) -> None:
    code = new_id("C")
    made = line.json("coupons", "create", code, "12.5", "--max-redemptions", "3", "--ends-at", "2030-01-01T00:00:00Z")
    assert (made["code"], made["credits"], made["max_redemptions"], made["per_tenant_limit"]) == (
        code.upper(),
        "12.5",
        3,
        1,
    )
    assert made["ends_at"] == "2030-01-01T00:00:00.000Z"

    disabled = line.json("coupons", "disable", code.lower())

    assert disabled["disabled"] is True
    (row,) = [row for row in line.json("coupons", "list") if row["code"] == code.upper()]
    assert row == disabled
