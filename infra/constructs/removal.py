"""What outlives its stack, and what does not."""

from aws_cdk import RemovalPolicy

KEEP = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
"""For what holds data. It stays when its stack is deleted or no longer describes it.

A deployment that fails takes back what it made, so that the next one finds the names free.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-attribute-deletionpolicy.html
"""
