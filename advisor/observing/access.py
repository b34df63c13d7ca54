"""How a server is reached and how one is let in: its address, a token or a password, and whom to trust."""

from __future__ import annotations

import base64
import ssl
from dataclasses import dataclass, field
from http.client import HTTPMessage
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, OpenerDirector, Request, build_opener

from advisor.errors import InputError
from advisor.observing.words import plain

LIMIT_SECRET_BYTES = 16_384


@dataclass(frozen=True, slots=True)
class Access:
    """How to be let in.

    Attributes:
        token: Sent as `Authorization: Bearer`.
        user: Name for basic authentication; used with `password` where there is no token.
        password: Its password.
        ca_file: PEM file of authorities to trust beside the system's.
    """

    token: str | None = field(default=None, repr=False)
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None

    def headers(self) -> dict[str, str]:
        """Return the header that proves who asks.

        Example:
            >>> Access(user="a", password="b").headers()
            {'Authorization': 'Basic YTpi'}
        """
        if self.token is not None:
            return {"Authorization": f"Bearer {self.token}"}
        if self.user is not None:
            pair = f"{self.user}:{self.password or ''}".encode()
            return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
        return {}


class _NoRedirects(HTTPRedirectHandler):
    """Follows nothing: a token must not travel to wherever a server points."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        del msg, headers
        fp.close()
        raise InputError(
            f"{_origin(req.full_url)} sends us on ({code}) to {plain(_origin(newurl), 120)}; give the final address, "
            "and a token if it asks people to log in"
        )


def read_token(path: Path) -> str:
    """Return the token in a file.

    Raises:
        InputError: It cannot be read, or holds something else.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(LIMIT_SECRET_BYTES + 1)
    except OSError as error:
        raise InputError.unreadable_file(path, error.strerror or str(error)) from None
    return checked_token(raw.decode("latin-1"), str(path))


def checked_token(text: str, source: str) -> str:
    """Return a token without the blanks around it.

    Raises:
        InputError: It is empty, too long, or holds blanks or other signs that a header cannot carry.
    """
    token = text.strip()
    if not token or len(token) > LIMIT_SECRET_BYTES or not all("!" <= sign <= "~" for sign in token):
        raise InputError(
            f"{source} does not hold a token: expected one line of printable ASCII without blanks"
        )
    return token


def opener(ca_file: Path | None) -> OpenerDirector:
    """Return what opens addresses: certificates are checked, and no redirect is followed.

    Raises:
        InputError: The file holds no certificates.
    """
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except (OSError, ssl.SSLError) as error:
            raise InputError.unreadable_file(ca_file, f"no PEM certificates ({error})") from None
    return build_opener(_NoRedirects, HTTPSHandler(context=context))


def address(url: str) -> tuple[str, tuple[str, str] | None]:
    """Return the address without secrets, and the name and password that stood in it."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if (
        parts.scheme not in {"http", "https"}
        or not parts.hostname
        or not url.strip().isprintable()
        or " " in url.strip()
    ):
        raise InputError(
            f"--prometheus: got {plain(url.rpartition('@')[2], 120)!r}; expected an address such as http://prometheus:9090"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    place = f"{host}:{port}" if port else host
    path = parts.path.rstrip("/").removesuffix("/api/v1").removesuffix("/graph")
    own = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
    return urlunsplit((parts.scheme, place, path, "", "")), own


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
