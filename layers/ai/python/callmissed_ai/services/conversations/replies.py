"""Replies to chats: what reads one on its way through, and what one costs."""

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from callmissed.catalog.model import Model
from callmissed_ai.charges import Charges, token_charges
from callmissed_ai.dialects.conversation import ReplyFrame
from callmissed_ai.dialects.dialect import Charge, UpstreamDialect
from callmissed_ai.dialects.output_bounds import output_bounds
from callmissed_ai.dialects.stream_meter import StreamMeter
from callmissed_ai.dialects.tools.names import given_names
from callmissed_ai.dialects.translation import Translation, translated_reply_meter
from callmissed_ai.services.conversations.requests import CallerRequest
from callmissed_ai.tokens import counting
from callmissed_ai.tokens.usage import TokenUsage
from callmissed_ai.work import Meter


def reply_meter(request: CallerRequest, upstream: UpstreamDialect, max_output: int, charge: Charge) -> Meter:
    """A meter of the `upstream`'s reply to `request`, of at most `max_output` tokens over all choices."""
    caller, asked, bounds = request.caller, request.asked, output_bounds(max_output)
    new_frame = partial(_new_frame, request)
    if upstream is caller:
        streamed, wants_usage = asked.streamed, asked.wants_usage
        return caller.meter(new_frame, streamed=streamed, wants_usage=wants_usage, bounds=bounds, charge=charge)
    names, frame = given_names(request.body), new_frame()
    if asked.streamed:
        writer = caller.stream_writer(frame, wants_usage=asked.wants_usage)
        return StreamMeter(Translation(upstream.stream_reader(), writer, names), bounds, charge)
    write = partial(caller.write_reply, frame=frame)
    return translated_reply_meter(upstream.read_reply, write, names, bounds, charge, caller.write_usage)


def _new_frame(request: CallerRequest) -> ReplyFrame:
    return ReplyFrame(secrets.token_hex(12), int(time.time()), request.asked.model, request.body)


@dataclass(slots=True)
class ReplyCharging:
    """What a reply of `model` to `request` costs. Our own count of tokens ends where the hold does.

    A `sandboxed` call is free, so its tokens are not counted exactly.
    """

    request: CallerRequest
    model: Model
    max_output: int
    sandboxed: bool

    async def charges(self, reported: TokenUsage | None, written: Callable[[], str]) -> Charges:
        """Charges by what the reply reports, and by our own count of what was `written` since, or in all.

        It is counted in a thread: loading the tokenizer and long texts take seconds that other calls need.
        """
        if reported is None:
            count = self._estimated if self.sandboxed else self._counted
            return token_charges(self.model, await asyncio.to_thread(count, written))
        if text := written():
            left = max(0, self.max_output - reported.output)
            more = await asyncio.to_thread(counting.count_text, text, left)
            reported = replace(reported, output=reported.output + more, estimated=True)
        return token_charges(self.model, reported)

    def _counted(self, written: Callable[[], str]) -> TokenUsage:
        held = self.request.asked.input_tokens
        read = self.request.caller.count(self.request.body, min(held, self.model.context_window or held))
        return TokenUsage(read, counting.count_text(written(), self.max_output), estimated=True)

    def _estimated(self, written: Callable[[], str]) -> TokenUsage:
        read = self.request.caller.estimate(self.request.body)
        return TokenUsage(read, counting.estimate_texts([written()]), estimated=True)
