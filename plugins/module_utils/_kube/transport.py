# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One HTTP exchange with an API server over pooled connections; what failed is told apart by whether the request was sent."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlencode

Query = Sequence[tuple[str, str]]


class Answer(NamedTuple):
    """Status, headers (names in lower case) and body of a response."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NotSent(Exception):
    """The request did not leave this machine; ``permanent`` when trying again cannot help (a wrong certificate)."""

    def __init__(self, why: str, *, permanent: bool = False) -> None:
        super().__init__(why)
        self.permanent = permanent


class AnswerLost(Exception):
    """The request may have been carried out, but no complete answer came back."""


class Transport:
    """Thread-safe. ``pool`` is a ``urllib3.PoolManager``; ``authorization`` returns the current Authorization header or ''."""

    def __init__(
        self,
        server: str,
        pool: Any,
        *,
        authorization: Callable[[], str] = lambda: "",
        headers: Sequence[tuple[str, str]] = (),
        parallel: int = 8,
    ) -> None:
        self.server = server
        self._pool = pool
        self._authorization = authorization
        self._headers = tuple(headers)
        self._slots = threading.BoundedSemaphore(parallel)

    def exchange(
        self, method: str, path: str, query: Query, headers: Mapping[str, str], body: bytes | None, connect: float, read: float
    ) -> Answer:
        """Send one request and return the whole answer, whatever its status; ``connect`` and ``read`` are seconds.

        Raises NotSent or AnswerLost.
        """
        import urllib3
        from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ProxyError, SSLError

        url = self.server + path + (f"?{urlencode(query)}" if query else "")
        timeout = urllib3.Timeout(connect=connect, read=read)
        with self._slots:
            try:
                # Named after what it does with form fields, which there are none of: it sends any method, and all of the headers.
                response = self._pool.request_encode_url(
                    method, url, body=body, headers=self._all_headers(headers), timeout=timeout, retries=False, redirect=False
                )
            except SSLError as error:
                text, permanent = tls_text(error)
                if permanent:
                    raise NotSent(text, permanent=True) from error
                raise AnswerLost(text) from error
            except ConnectTimeoutError as error:
                raise NotSent(cause(error) if isinstance(error, NewConnectionError) else f"no connection within {connect:g} s") from error
            except (NewConnectionError, ProxyError) as error:
                raise NotSent(cause(error)) from error
            except (HTTPError, OSError) as error:
                raise AnswerLost(cause(error)) from error
        return Answer(response.status, {name.lower(): value for name, value in response.headers.items()}, response.data)

    def close(self) -> None:
        """Close all connections."""
        self._pool.clear()

    def _all_headers(self, headers: Mapping[str, str]) -> Any:
        import urllib3

        # Not a dict: Impersonate-Group is sent once per group.
        result = urllib3._collections.HTTPHeaderDict()
        authorization = self._authorization()
        if authorization:
            result.add("Authorization", authorization)
        result.add("Accept-Encoding", "gzip")
        for name, value in (*self._headers, *headers.items()):
            result.add(name, value)
        return result


def tls_text(error: Exception) -> tuple[str, bool]:
    """Return what went wrong, and whether it will go wrong again: a certificate that one side does not accept."""
    inner = error.args[0] if error.args else error
    if isinstance(inner, ssl.SSLCertVerificationError):
        return f"the server's certificate is not trusted: {inner.verify_message}", True
    if "doesn't match" in str(inner):
        # urllib3 1.26 compares the name itself.
        return f"the server's certificate is not trusted: {inner}", True
    return f"TLS failed: {inner}", "alert" in str(inner).lower()


def cause(error: BaseException) -> str:
    """Return the innermost operating system error in words: ``connection refused``, ``name or service not known``."""
    current: BaseException | None = error
    text = str(error)
    while current is not None:
        if isinstance(current, OSError) and current.strerror:
            text = current.strerror
        arguments = [argument for argument in getattr(current, "args", ()) if isinstance(argument, BaseException)]
        current = arguments[-1] if arguments else current.__cause__ or current.__context__
    text = text.rpartition("object at ")[2].partition(">: ")[2] or text if "object at 0x" in text else text
    return text[:1].lower() + text[1:]
