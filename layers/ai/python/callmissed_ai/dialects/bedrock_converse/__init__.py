"""The dialect of Amazon Bedrock's Converse API, which upstreams speak and callers don't.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""
