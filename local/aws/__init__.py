"""The engines that stand in for AWS, and what exists in them.

DynamoDB Local (Java) serves DynamoDB and its streams, with its files in the state folder. One moto server (Python)
serves SQS, EventBridge and S3, in memory: a message that waits in a queue is lost when the local stack ends.
Without Java moto serves DynamoDB too, in memory.
"""
