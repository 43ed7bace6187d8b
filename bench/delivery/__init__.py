"""The delivery numbers: what a delivery takes in time, CPU, DynamoDB units and dollars, and whether one is ever lost.

`python -m bench.delivery` runs the real relay, fan-out, sender and scheduler against DynamoDB Local and endpoints on
loopback. The outbox's stream and the event bus are passed on in the process, and so is the queue: no emulator of SQS
is fast or fair enough to measure beside, so `queueing` gives SQS's guarantees instead. What SQS, EventBridge and the
stream add on AWS is therefore in none of the delays.

A worker process has the first core. It stands for one Lambda environment where deliveries per second are measured,
and for all of them where delays are: there, N coroutines, each with a batch of ten, are Lambda's concurrency. DynamoDB
Local and the endpoints have the other cores.
"""
