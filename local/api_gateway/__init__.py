"""What API Gateway's REST API does in front of the functions, for the declared routes.

Routes (`resources.py`)
- Paths match as percent-encoded. `{name}` is one segment, `{name+}` the rest of the path. Where several templates
  match, the resource with the most literal template serves the request, also when it lacks the method.
- An unknown path or method is 404 `not_found`. OPTIONS exists where a route answers preflights, and its function
  answers them.

Requests (`gateway.py`)
- A body is read whole before the authorizer or a function sees the request. A body over MAX_BODY_BYTES (4 MiB) is 413
  `file_too_large`; API Gateway itself allows 10 MB, and Lambda 6 MB for an event. Up to 16 times the limit are read and
  dropped first, because a client that is still sending would miss the response.
- A client that hangs up before its body is complete causes no call.
- A request line and values of headers over 10,240 bytes together are 431, a method's ARN over 1,600 bytes on a route
  with an authorizer is 414: both `invalid_request_error`.
- `X-Amzn-…` headers of the client are removed, values of headers are trimmed. `X-Forwarded-…` headers of the client
  stay beside those of the gateway. The domain name of an event is the stack's, whatever `Host` says.
- Errors of the gateway have the envelope of the request's path.

Responses (`gateway.py`)
- Every response has an `X-Request-Id`: the function's own, otherwise the gateway's, which is also `requestId` in the
  function's event.
- Routes with `streaming` pass chunks on as they come, for up to STREAM_TIMEOUT_SECONDS (900). Other calls end after 29
  seconds. A call that takes longer is 503 `service_unavailable`; a response that has begun is broken off instead.

Authorizer (`authorizer.py`)
- A REQUEST authorizer before routes with `Auth.ACCOUNT`, without identity source and without cache: it is called for
  every request. Its event has everything but the body.
- The exception `Unauthorized` is 401 `invalid_api_key`. A policy is compared with the method's ARN, `*` and `?` as in
  IAM; without an Allow, or with a Deny, the response is 403 `permission_denied`, whatever the context has. Any other
  exception, an answer of another shape, or none within the function's timeout is 503.
- The context reaches the function as text in `requestContext.authorizer`, with `principalId`; null values are left out.

Operators (`sigv4.py`)
- IAM authorization before routes with `Auth.OPERATOR`: the signature (SigV4) over method, path, query, signed headers
  and body, at most 5 minutes old, of the one operator whose secret is in the state folder. The ARN is
  `requestContext.identity.userArn`. Without a signature the answer is 404, with a wrong one 403, as API Gateway
  answers; policies of IAM are not evaluated.

Proxy integration (`proxy_integration.py`, `events.py`)
- The event has `headers` and `queryStringParameters` with the last value of a name and the multi-value forms with all
  of them; path parameters percent-encoded; `X-Forwarded-For`, `-Proto` and `-Port`; and a body in base64, because the
  API declares `*/*` binary. What is absent is null.
- The response's `headers` and `multiValueHeaders` are merged, the latter first; the content type is JSON unless given.
  An exception, an answer that can't be JSON and a malformed response are 502 `internal_error`.

Not reproduced: throttling, the firewall, TLS, access logs, the maximum size of buffered responses (6 MB), header names
in the client's own case (each part is capitalised here), the bandwidth limit of streams and their idle timeout.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode.html
"""
