"""The bots slice's routes: bots, WhatsApp's numbers and messages, conversations and hand-offs."""

from callmissed.platform.routes.route import Route

ROUTES: tuple[Route, ...] = ()
