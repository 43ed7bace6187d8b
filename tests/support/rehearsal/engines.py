"""Engines that were used before, emptied: starting them takes seconds."""

import urllib.request

from rehearsal.stage.engines import Engines, create_resources
from rehearsal.templates.plan import DeploymentPlan


def holding_only(plan: DeploymentPlan, used: Engines) -> Engines:
    """The engines of `used` with the resources of `plan`, as if they had just been started for them."""
    emptied = Engines(used.dynamodb_url, used.other_url)
    dynamodb = emptied.client("dynamodb")
    for table in dynamodb.list_tables()["TableNames"]:
        if dynamodb.describe_table(TableName=table)["Table"].get("DeletionProtectionEnabled"):
            dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
        dynamodb.delete_table(TableName=table)
    reset = urllib.request.Request(f"{emptied.other_url}/moto-api/reset", method="POST")
    urllib.request.urlopen(reset, timeout=60).close()
    create_resources(emptied, plan)
    return emptied
