"""The AWS account that the engines stand in for, and the one stage in it."""

REGION = "us-east-1"
ACCOUNT = "123456789012"
STAGE = "local"
OPERATOR_ACCESS_KEY = "LOCALOPERATOR"
"""The access key of the stack's operator, whose secret is in the state folder."""
