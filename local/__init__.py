"""The local stack: the whole platform on one machine, from the declarations that `infra` deploys.

stack/           starts and ends everything, in order: `run`
server/          the web server, and `/_local` for developers
api_gateway/     what API Gateway does in front of functions
lambda_runtime/  what Lambda and EventBridge Scheduler do around functions
state/           the state folder, and what is restored from it at a start
aws/             the engines that stand in for AWS: DynamoDB Local and moto
"""
