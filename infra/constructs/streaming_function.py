"""An ASGI application on Lambda, streaming its answers through the Lambda Web Adapter."""

from aws_cdk import Stack
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.constructs.python_function import EntryPoint

_ADAPTER_ACCOUNT = "753240598075"
_ADAPTER_LAYER = "LambdaAdapterLayerArm64:30"


def streaming_entry(scope: Construct) -> EntryPoint:
    """Entry point of a web app: the adapter starts `run.sh`, waits for readiness, and speaks HTTP to the app."""
    stack = Stack.of(scope)
    arn = f"arn:{stack.partition}:lambda:{stack.region}:{_ADAPTER_ACCOUNT}:layer:{_ADAPTER_LAYER}"
    return EntryPoint(
        handler="run.sh",
        environment={
            "AWS_LAMBDA_EXEC_WRAPPER": "/opt/bootstrap",
            "AWS_LWA_PORT": "8080",
            "AWS_LWA_INVOKE_MODE": "response_stream",
            "AWS_LWA_READINESS_CHECK_PATH": "/healthz",
            "AWS_LWA_READINESS_CHECK_HEALTHY_STATUS": "200-299",
            "AWS_LWA_SNAPSTART_BEFORE_CHECKPOINT_PATH": "/_snapstart/before",
            "AWS_LWA_SNAPSTART_AFTER_RESTORE_PATH": "/_snapstart/after",
        },
        layers=[lambda_.LayerVersion.from_layer_version_arn(scope, "WebAdapter", arn)],
    )
