# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pool of connections to an API server: TLS as client-go does it, through a proxy or not."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kubeconfig import Access, private_file
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.transport import NotSent, cause, tls_text
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError

_PROTOCOLS = ["http/1.1"]


def pool_manager(access: Access, sources: str, proxy_headers: Mapping[str, Any], directory: str, parallel: int) -> Any:
    """Return a urllib3 pool manager; requests over ``parallel`` never open more connections.

    ``sources`` says where the certificates come from; they are in private files in ``directory`` while they are loaded.
    Raises LifecycleError for certificates that are none.
    """
    import urllib3

    arguments: dict[str, Any] = {"maxsize": parallel}
    if access.server.lower().startswith("https:") or access.proxy.lower().startswith("https:"):
        required = ssl.CERT_REQUIRED if access.verify else ssl.CERT_NONE
        context = urllib3.util.ssl_.create_urllib3_context(cert_reqs=required)
        # Python 3.13 asks for all of RFC 5280's formalities. Go (kubectl, helm) does not, and the CAs of many clusters lack some.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        # urllib3 sets the same protocols on the shared context again for every connection, which frees what another thread's
        # handshake is just copying: now and then the server was sent nonsense ("tlsv1 alert decode error").
        context.set_alpn_protocols(_PROTOCOLS)
        context.set_alpn_protocols = _set_already  # type: ignore[method-assign]
        _load(context, access, sources, directory)
        arguments |= {"ssl_context": context, "cert_reqs": required}
        if not access.verify:
            urllib3.disable_warnings()
        if access.tls_server_name:
            arguments["server_hostname"] = arguments["assert_hostname"] = access.tls_server_name
    if not access.proxy:
        return urllib3.PoolManager(**arguments)
    if access.proxy.lower().startswith("socks"):
        from urllib3.contrib.socks import SOCKSProxyManager

        return SOCKSProxyManager(access.proxy, **arguments)
    headers = urllib3.util.make_headers(**proxy_headers) if proxy_headers else None
    return urllib3.ProxyManager(access.proxy, proxy_headers=headers, **arguments)


def open_socket(pool: Any, url: str, seconds: float) -> Any:
    """Return a new connected socket to the server of ``url``, for what is more than one request and its answer (a WebSocket).

    It is opened as ``pool`` opens its own: same TLS, same proxy. Each part of that takes at most ``seconds``.
    Raises NotSent, also for a server without TLS behind a proxy for HTTP, which would have to know WebSockets itself.
    """
    import urllib3

    connections = pool.connection_from_url(url)
    if connections.proxy is not None and connections.scheme == "http":
        raise NotSent("a server without TLS cannot be reached for this through a proxy for HTTP", permanent=True)
    # What urlopen() of urllib3 1.26 and 2 does for a request of its own.
    connection = connections._new_conn()
    connection.timeout = seconds
    try:
        if connections.proxy is not None:
            connections._prepare_proxy(connection)
        else:
            connection.connect()
    except (ssl.SSLError, urllib3.exceptions.SSLError, ValueError) as error:
        # The ValueError is urllib3's own comparison of the name.
        connection.close()
        text, permanent = tls_text(error if isinstance(error, urllib3.exceptions.SSLError) else urllib3.exceptions.SSLError(error))
        raise NotSent(text, permanent=permanent) from error
    except (urllib3.exceptions.HTTPError, OSError) as error:
        connection.close()
        raise NotSent(cause(error)) from error
    return connection.sock


def _set_already(alpn_protocols: Iterable[str]) -> None:
    """Change nothing: these are the protocols that the context has."""


def _load(context: ssl.SSLContext, access: Access, sources: str, directory: str) -> None:
    """Load the certificates, once: what urllib3 is given by file name it loads into the shared context again for every
    connection, from several threads at once, which corrupts OpenSSL's memory.
    """
    try:
        if access.verify and access.ca:
            with private_file(os.path.join(directory, "ca.pem"), access.ca) as path:
                context.load_verify_locations(path)
        elif access.verify:
            context.load_default_certs()
        if access.certificate:
            # One file: a certificate without a key may have it inside.
            both = access.certificate.rstrip(b"\n") + b"\n" + access.key
            with private_file(os.path.join(directory, "client.pem"), both) as path:
                # Without a password OpenSSL would ask for it on the terminal.
                context.load_cert_chain(path, password="")
    except (OSError, ssl.SSLError) as error:
        raise LifecycleError(
            "The certificates of this connection cannot be used",
            why=f"{error} ({sources})",
            state="nothing was sent",
            next="check ca_cert, client_cert and client_key, or the certificate data of the kubeconfig (PEM, a matching pair)",
        ) from error
