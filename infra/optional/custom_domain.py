"""A domain name of the stage's own for its API."""

from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_certificatemanager as acm
from constructs import Construct

from infra.config import StageConfig


def custom_domain(scope: Construct, config: StageConfig) -> apigateway.DomainName | None:
    """The domain that the stage's settings name, if they do. Its DNS record is the operator's to make."""
    if not config.domain_name or not config.certificate_arn:
        return None
    return apigateway.DomainName(
        scope,
        "Domain",
        domain_name=config.domain_name,
        certificate=acm.Certificate.from_certificate_arn(scope, "Certificate", config.certificate_arn),
        endpoint_type=apigateway.EndpointType.REGIONAL,
        security_policy=apigateway.SecurityPolicy.TLS_1_2,
    )
