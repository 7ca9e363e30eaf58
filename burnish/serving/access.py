"""Who may ask: by which name, with which key, from which page."""

from __future__ import annotations

import re

from burnish.serving.errors import Problem
from burnish.serving.intake import Scope, header, media_type
from burnish.serving.keys import Keys

_OPEN = ("/", "/health/live", "/health/ready")
_LOCAL = re.compile(r"(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?", re.IGNORECASE)
_ASKED_FIRST = ("application/json", "application/x-ndjson")


def is_open(scope: Scope) -> bool:
    """Whether a path takes no key, and no body either."""
    return scope["path"] in _OPEN or scope["path"].startswith("/page/")


def must_be_known_by(scope: Scope) -> None:
    """A service for this machine alone answers to local names alone.

    Raises:
        Problem: 421 for another.
    """
    host = header(scope, b"host")
    if host and not _LOCAL.fullmatch(host):
        raise Problem(421, "without keys only local names are answered; start the service with --api-key-file")


def must_have_key(scope: Scope, keys: Keys | None) -> None:
    """Where there are keys, a request needs one that is for what it asks.

    Raises:
        Problem: 401 without one, 403 for one that is for something else.
    """
    path: str = scope["path"]
    if keys is None or is_open(scope):
        return
    key = keys.find(header(scope, b"authorization"))
    if key is None:
        raise Problem(401, "this needs a key: send Authorization: Bearer KEY")
    needed = "predict"
    if path.startswith("/v1/feedback"):
        needed = "feedback"
    elif path.startswith("/v1/models") and scope["method"] != "GET":
        needed = "admin"
    if needed not in key.scopes:
        raise Problem(403, f"this key is not for {needed}")


def must_be_of_this_site(scope: Scope) -> None:
    """A browser asks the service first before a page of another site sends it JSON, or anything but GET and POST. All
    else it sends at once, such as forms and requests without a body, which therefore have to come from the own page.

    Raises:
        Problem: 403 for one from elsewhere.
    """
    origin = header(scope, b"origin")
    if not origin or scope["method"] in ("GET", "HEAD") or media_type(scope) in _ASKED_FIRST:
        return
    if origin.partition("://")[2].lower() != header(scope, b"host").lower():
        raise Problem(403, "this is not taken from pages of other sites; send application/json")
