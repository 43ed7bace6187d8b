"""`callmissed phone`."""

from pathlib import Path
from typing import Annotated

import typer

from cli.groups import DEFAULT_STATE


def phone(
    sender: Annotated[str, typer.Option("--from", help="The customer's phone number.")] = "919800000001",
    number: Annotated[str, typer.Option(help="Meta's id of the number to write to; by default the stack's.")] = "",
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for a reply after the end of a pipe.")] = 15,
    state: Annotated[Path, typer.Option(help="Folder from which the local stack runs.")] = DEFAULT_STATE,
) -> None:
    """Write to a WhatsApp number of the local stack as a customer: each line is a message, replies and ticks are shown.

    A line that begins with / taps the button or the row with that title or id.
    """
    from cli.errors import EXPECTED_ERRORS, CommandError, explain  # a help text needs none of these
    from cli.output import Output
    from cli.phones.chat import PhoneChat
    from cli.target import stand_in_for_graph

    output = Output(as_json=False)
    try:
        chat = PhoneChat(stand_in_for_graph(state), sender, number, output)
        if not chat.run(wait):
            raise CommandError(f"No reply came within {wait:g} s.")
    except EXPECTED_ERRORS as error:
        output.fail(explain(error, None))
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
