"""Lambda around the bundles: execution environments, the Runtime API, and a stand-in for the Lambda Web Adapter."""
