"""One-click unsubscribe (RFC 8058): a link in every post for the outside.

Law: only POST acts. GET shows a button and is the same for every link that could be ours: mail scanners ask for
whatever stands in a message, and learn nothing. Acted upon twice, it says the same.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from html import escape

from gateway.route import Request, Response, Route

PATH = "/unsubscribe/{source}/{bucket}/{token}"
BODY_OCTETS_MAX = 4_096  # a provider sends 26, as a form of either kind
WORD = b"One-Click"  # RFC 8058 3.1: what the body must say
HTML = "text/html; charset=utf-8"
# The page's one style and its form; nothing else is loaded or run, and nobody may frame the button.
PAGE_POLICY = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
}

Leave = Callable[[str, str, str], Awaitable[int]]  # (source, bucket, token) -> an HTTP status: 200, 404 or 503
CouldBe = Callable[[str, str, str], bool]


def unsubscribe_routes(could_be: CouldBe, leave: Leave) -> tuple[Route, ...]:
    """`could_be`: whether a link is of our form; `leave`: do it, durably."""

    async def show(request: Request) -> Response:
        source, bucket, token = _named(request)
        if not could_be(source, bucket, token):
            return _page(404, "There is no such link.")
        return _page(200, f"Do you want no more posts of <b>{escape(source)}</b>?", BUTTON)

    async def act(request: Request) -> Response:
        source, bucket, token = _named(request)
        if WORD not in request.body:
            return _page(400, "This is not the button's request.")
        status = await leave(source, bucket, token) if could_be(source, bucket, token) else 404
        return _page(status, SAID[status].format(escape(source)))

    return Route("GET", PATH, show), Route("POST", PATH, act, BODY_OCTETS_MAX)


SAID = {
    200: "You get no more posts of <b>{}</b>. What was already on its way may still arrive.",
    404: "This link is of a subscription that has ended.",
    503: "It could not be done just now. Please try again in a few minutes.",
}
BUTTON = (
    '<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click">'
    "<button>Unsubscribe</button></form>"
)


def _named(request: Request) -> tuple[str, str, str]:
    place = request.place
    return place["source"], place["bucket"], place["token"]


def _page(status: int, text: str, more: str = "") -> Response:
    body = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="robots" content="noindex">'
        '<meta name="viewport" content="width=device-width"><title>Unsubscribe</title>'
        "<style>body{font:1.1em sans-serif;margin:4em auto;max-width:30em}button{font:inherit;padding:.5em 1em}</style>"
        f"<p>{text}</p>{more}</html>\n"
    )
    headers = PAGE_POLICY | ({"Retry-After": "300"} if status == 503 else {})
    return Response(status, body.encode(), HTML, headers)
