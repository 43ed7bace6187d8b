"""WhatsApp's numbers: whether a message is ever lost, answered twice or charged twice, and whether anybody waits.

`python -m bench.whatsapp` runs the real functions `callbacks`, `whatsapp-inbound`, `turn-worker` and `turn-scheduler`
against DynamoDB Local and the stand-in for Graph. The functions of the queues are processes that die of SIGKILL at
random requests. Queues, stream, bus and time are simulated: messages come late, twice and in any order, and time jumps
to what is next as soon as nothing is under way.
"""
