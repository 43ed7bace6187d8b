"""What Lambda and EventBridge Scheduler do around the functions that have a handler.

Functions (`functions.py`)
- Each function has one execution environment, which is a thread: one call at a time, others wait their turn. Lambda
  starts environments as it needs them, so calls to one function run side by side there.
- A handler's module is imported at the function's first call. Event and answer pass through JSON; an answer that can't
  be JSON is a failure of the function.
- The context has `function_name`, `function_version`, `invoked_function_arn`, `memory_limit_in_mb`, `aws_request_id`
  and `get_remaining_time_in_millis`, which counts down from the declared timeout; not the log group, the log stream,
  `identity` and `client_context`.
- Not reproduced: the timeout ends no call, memory has no limit, and events and answers have no maximum size. A function
  with a `web_app` runs in the local server, under uvicorn and without the Lambda Web Adapter.

Answers to a batch (`events.py`)
- `batchItemFailures` names the items that failed. None, `{}` and an empty list mean that all succeeded. An answer with
  an unknown or empty identifier, or of another shape, fails the whole batch, and so does an exception.

Event source mapping of a queue (`sqs_mapping.py`)
- Batches of up to the queue's declared `batch`, without a batching window; one batch of a queue at a time, where
  Lambda scales up to `max_concurrency`.
- Messages that succeeded are deleted. A message that failed stays hidden for the queue's visibility timeout, returns
  with a higher `ApproximateReceiveCount`, and goes to the dead-letter queue after the declared `tries`; moto does both.
- The event has every system attribute, MessageGroupId among them, and no message attributes: `messageAttributes` is
  empty. Moto is not fair between the groups.

Event source mapping of a stream (`stream_mapping.py`)
- From TRIM_HORIZON, batches of up to 100 records, and INSERT records alone, as the filter of the deployed mapping has
  it. A batch without an INSERT calls nothing. One batch of a shard at a time, and the children of a shard after it; the
  deployed mapping reads ten batches of a shard side by side, in order for each partition key.
- After a failure, the shard is read again from the lowest failed sequence number, whatever succeeded after that, and
  waits 1, 2, 4 … 60 seconds meanwhile. Retries do not end. The deployed mapping gives a record up after 100 retries or
  6 hours, sends what it knows of it to the failure queue, and halves a batch that raised an exception.
- The position is in memory: after a restart every record that the stream still has, for 24 hours, is read again.
  Records that the stream no longer has are skipped.

Schedules (`schedules.py`)
- `rate(n minutes|hours|days)` and a daily `cron(M H * * ? *)`, in UTC, at the full minute. The event is
  `{"schedule": name, "at": ISO time}`. A rate counts from the epoch, where EventBridge Scheduler counts from the
  schedule's creation.
- A time that passes while the local stack is off is not caught up, and a call that failed is logged and not retried;
  deployed, Lambda retries it twice and then keeps it in the function's failure queue.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""
