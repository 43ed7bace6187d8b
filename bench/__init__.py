"""The benchmark and the cost model, with the peers that the benchmark compares against.

One run, on loopback: a direct call to a fake upstream, our gateway governed by DynamoDB Local, our gateway over a
DynamoDB that answers at once, and each peer that is installed, in turns, so that a slow moment of the machine meets all
of them. Gateways share the first core; the load generator, the fakes and DynamoDB Local have the others. CPU is that
of the gateway's process tree, from before a round until shortly after it. Every answer is checked for all its words.

Latency runs to the end of a blocking reply and to the first bytes of a streamed one, and counts over the direct call's.
DynamoDB's own time is the difference between our two rows; the `Server-Timing` header's `db` is shown too, but under
load it holds the queue for our own event loop as well.
"""
