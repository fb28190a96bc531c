"""What every answer tells the browser: nothing from outside, nothing kept."""

from flask import Response

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": (
        "camera=(), microphone=(), geolocation=(), usb=(), payment=(), serial=()"
    ),
}
NEVER_KEPT = "no-store"
ASKED_EACH_TIME = "no-cache"


def guard(response: Response) -> Response:
    """Put the headers on an answer, and `no-store` unless it says how it is kept."""
    response.headers.update(HEADERS)
    response.headers.setdefault("Cache-Control", NEVER_KEPT)
    return response
