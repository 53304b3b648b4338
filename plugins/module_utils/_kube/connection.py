# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connect once: the API client, helm and istioctl all use what is resolved here."""

from __future__ import annotations

import ipaddress
import os
import ssl
import threading
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Protocol
from urllib.parse import urlsplit

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.credentials import (
    Resolved,
    authorization_of,
    connection_options,
    require_explicit,
    resolve,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.identity import check_expected_cluster, cluster_uid, server_version
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kubeconfig import Access, write_kubeconfig
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.transport import Transport
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.version import VERSION
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError


class Caller(Protocol):
    """What ``connect`` needs of a module: its parameters, its name and its private directory."""

    @property
    def params(self) -> Mapping[str, Any]:
        """The module's options."""

    @property
    def name(self) -> str:
        """The module's name."""

    @property
    def tmpdir(self) -> str:
        """A private directory."""


class Connection:
    """One cluster, as one user. ``context`` is empty when the connection came without a kubeconfig."""

    def __init__(self, resolved: Resolved, directory: str, *, name: str, request_timeout: float, parallel: int) -> None:
        self._configuration = resolved.configuration
        self._options = resolved.options
        self._lock = threading.Lock()
        self._path = os.path.join(directory, "kubeconfig")
        self.server = str(resolved.configuration.host)
        self.context = resolved.context
        self.access = _access(resolved)
        write_kubeconfig(self._path, self.access)
        self._name, self._request_timeout, self._parallel = name, request_timeout, parallel

    @cached_property
    def api(self) -> Api:
        """The client; raises LifecycleError for certificate files that are none."""
        headers = [("User-Agent", f"meshops.lifecycle/{VERSION} {self._name}")]
        if self.access.impersonate_user:
            headers.append(("Impersonate-User", self.access.impersonate_user))
        headers += [("Impersonate-Group", group) for group in self.access.impersonate_groups]
        pool = _pool(self._configuration, self.access, self._parallel)
        transport = Transport(self.server, pool, authorization=self._authorization, headers=headers, parallel=self._parallel)
        return Api(transport, request_timeout=self._request_timeout, parallel=self._parallel)

    @property
    def kubeconfig_path(self) -> str:
        """A kubeconfig of our own (0600) with everything inside; its token is renewed when the connection's is."""
        self._authorization()
        return self._path

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values of this connection that must never be shown."""
        return self.access.secrets

    @cached_property
    def uid(self) -> str:
        """The cluster's uid."""
        return cluster_uid(self.api)

    @cached_property
    def version(self) -> str:
        """The API server's version, ``1.34.4``."""
        return server_version(self.api)

    def _authorization(self) -> str:
        with self._lock:
            current = authorization_of(self._configuration)
            if current != self.access.authorization:
                self.access = self.access._replace(authorization=current)
                write_kubeconfig(self._path, self.access)
            return current


def connect(module: Caller, *, explicit: bool) -> Connection:
    """Return the connection that the module's options name; the cluster is only contacted when ``expected_cluster`` is given.

    ``explicit``: refuse when no option or K8S_AUTH_* variable names a cluster. Raises LifecycleError for unusable options,
    Refused for the wrong cluster, KubeError when that cannot be found out.
    """
    options = connection_options(module.params, os.environ)
    if explicit:
        require_explicit(options)
    connection = Connection(
        resolve(options, module.tmpdir),
        module.tmpdir,
        name=module.name,
        request_timeout=module.params.get("request_timeout") or 60,
        parallel=module.params.get("max_parallel_requests") or 8,
    )
    expected = module.params.get("expected_cluster")
    if expected:
        check_expected_cluster(str(expected), connection.uid, connection.server)
    return connection


def _access(resolved: Resolved) -> Access:
    configuration, options = resolved.configuration, resolved.options
    return Access(
        server=str(configuration.host),
        context=resolved.context,
        ca=_file(configuration.ssl_ca_cert),
        certificate=_file(configuration.cert_file),
        key=_file(configuration.key_file),
        authorization=authorization_of(configuration),
        verify=bool(configuration.verify_ssl),
        tls_server_name=str(getattr(configuration, "tls_server_name", None) or ""),
        proxy=_proxy(configuration),
        impersonate_user=str(options.get("impersonate_user") or ""),
        impersonate_groups=tuple(map(str, options.get("impersonate_groups") or ())),
    )


def _file(path: str | None) -> bytes:
    if not path:
        return b""
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError as error:
        raise LifecycleError(
            f"Certificate or key file {path} cannot be read", why=error.strerror or str(error), next="correct its path"
        ) from error


def _proxy(configuration: Any) -> str:
    """Return the proxy to use for this server, with what the proxy wants to know about the user inside its URL."""
    if not configuration.proxy or bypasses_proxy(str(configuration.host), configuration.no_proxy or ""):
        return ""
    return str(configuration.proxy)


def bypasses_proxy(url: str, no_proxy: str) -> bool:
    """Return whether ``no_proxy`` (hosts, domains, addresses, networks, ``*``; comma-separated) names the host of ``url``."""
    host = (urlsplit(url).hostname or "").lower()
    for rule in filter(None, (part.strip().lower() for part in no_proxy.split(","))):
        try:
            if ipaddress.ip_address(host) in ipaddress.ip_network(rule, strict=False):
                return True
        except ValueError:
            domain = rule.removeprefix("*").lstrip(".")
            if rule == "*" or host == domain or host.endswith(f".{domain}"):
                return True
    return False


def _pool(configuration: Any, access: Access, parallel: int) -> Any:
    """Return a urllib3 pool manager with the connection's TLS settings; requests over ``parallel`` never open more connections."""
    import urllib3

    required = ssl.CERT_REQUIRED if access.verify else ssl.CERT_NONE
    context = urllib3.util.ssl_.create_urllib3_context(cert_reqs=required)
    # Python 3.13 asks for all of RFC 5280's formalities. Go (kubectl, helm) does not, and the CAs of many clusters lack some.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    # Loaded once, here: what urllib3 is given by file name it loads into the shared context again for every connection, from
    # several threads at once, which corrupts OpenSSL's memory.
    try:
        if configuration.ssl_ca_cert:
            context.load_verify_locations(configuration.ssl_ca_cert)
        else:
            context.load_default_certs()
        if configuration.cert_file:
            context.load_cert_chain(configuration.cert_file, configuration.key_file)
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(str(name) for name in (configuration.ssl_ca_cert, configuration.cert_file, configuration.key_file) if name)
        raise LifecycleError(
            "The certificates of this connection cannot be used",
            why=f"{error} ({files})",
            state="nothing was sent",
            next="check ca_cert, client_cert and client_key, or the certificate data of the kubeconfig (PEM, a matching pair)",
        ) from error
    arguments: dict[str, Any] = {"maxsize": parallel, "ssl_context": context, "cert_reqs": required}
    if not access.verify:
        urllib3.disable_warnings()
    if access.tls_server_name:
        arguments["server_hostname"] = arguments["assert_hostname"] = access.tls_server_name
    elif configuration.assert_hostname is not None:
        arguments["assert_hostname"] = configuration.assert_hostname
    if not access.proxy:
        return urllib3.PoolManager(**arguments)
    if access.proxy.lower().startswith("socks"):
        from urllib3.contrib.socks import SOCKSProxyManager

        return SOCKSProxyManager(access.proxy, **arguments)
    return urllib3.ProxyManager(access.proxy, proxy_headers=configuration.proxy_headers, **arguments)
