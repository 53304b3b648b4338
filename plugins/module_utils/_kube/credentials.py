# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Turn the options of kubernetes.core (and their K8S_AUTH_* variables) into one resolved connection.

The order is that of kubernetes.core 6.x ``module_utils/k8s/client.py``: host with credentials; else kubeconfig or context;
else, only where an implicit connection is allowed, the pod's service account and then the default kubeconfig. Neither its
``get_api_client`` is called, because it sends requests (see api.py), nor the Python client, whose import takes more time than
everything else that a module does before its first request. What is read from a kubeconfig, and what goes before what, is
as in that client (config/kube_config.py); tests compare the two.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kubeconfig import Access
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kubeconfig_files import Chosen, Pem, choose, read_pem
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.proxy import proxy_for
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.token_file import TokenFile
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError, Refused

EXPLICIT = ("kubeconfig", "context", "host", "api_key")
# kubernetes.core also reads the variables with these names.
_OTHER_NAMES = {"validate_certs": "verify_ssl", "ca_cert": "ssl_ca_cert", "client_cert": "cert_file", "client_key": "key_file"}
_LISTS = ("impersonate_groups",)
_BOOLEANS = ("validate_certs", "persist_config")
_PROXY_HEADERS = ("proxy_basic_auth", "basic_auth", "user_agent")
_SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"

Authorization = Callable[[], str]


class Resolved(NamedTuple):
    """How to reach the cluster at this moment; ``authorization`` returns the current Authorization header, renewed when it has
    to be. ``certificate_sources`` says where the certificates come from.
    """

    access: Access
    authorization: Authorization
    certificate_sources: str
    proxy_headers: Mapping[str, Any]


class _Found(NamedTuple):
    """What a kubeconfig or a service account says, before the options go over it."""

    server: str = ""
    context: str = ""
    authorization: Authorization = lambda: ""
    ca: Pem = Pem()
    certificate: Pem = Pem()
    key: Pem = Pem()
    verify: bool = True
    tls_server_name: str = ""
    proxy: str = ""
    impersonate_user: str = ""
    impersonate_groups: tuple[str, ...] = ()


def connection_options(params: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the connection options that were given, by module option or else by K8S_AUTH_* variable."""
    names = (*EXPLICIT, "username", "password", *_OTHER_NAMES, "proxy", "no_proxy", "persist_config", "impersonate_user", *_LISTS)
    options: dict[str, Any] = {}
    for name in names:
        value = params.get(name)
        if value is None:
            text = environ.get(f"K8S_AUTH_{name.upper()}") or environ.get(f"K8S_AUTH_{_OTHER_NAMES.get(name, name).upper()}")
            value = _of_text(name, text) if text else None
        if value is not None and value != "":
            options[name] = value
    headers = params.get("proxy_headers") or {name: environ.get(f"K8S_AUTH_PROXY_HEADERS_{name.upper()}") for name in _PROXY_HEADERS}
    options["proxy_headers"] = {name: value for name, value in headers.items() if value}
    return options


def require_explicit(options: Mapping[str, Any], where: str = "") -> None:
    """Raise Refused when the connection would be whatever cluster happens to be current; ``where`` is the option that should name one."""
    if any(options.get(name) for name in EXPLICIT):
        return
    if where:
        raise Refused(
            f"{where} does not name a cluster, and a procedure on hosted clusters does not take the current one",
            why="it has none of kubeconfig, context, host and api_key",
            state="nothing was contacted",
            next=f"set {where}.kubeconfig (and context), or {where}.host and {where}.api_key",
        )
    raise Refused(
        "No cluster is named, and a module that changes a cluster does not take the current one",
        why="none of kubeconfig, context, host and api_key is given, neither as an option nor as a K8S_AUTH_* variable",
        state="nothing was contacted",
        next="set kubeconfig (and context), or host and api_key, for instance in module_defaults for group/meshops.lifecycle.all",
    )


def resolve(options: Mapping[str, Any], scratch: str) -> Resolved:
    """Return the connection that ``options`` name; ``scratch`` is a private directory.

    Raises LifecycleError for a missing or broken kubeconfig, an unknown context (naming the existing ones), and a
    credential plugin that failed.
    """
    found = _over(_found(options, scratch), options)
    if not found.server:
        raise LifecycleError(
            f"Context {found.context} has no server", why="its cluster has no server, and no option host is given", next="set the server"
        )
    access = Access(
        server=found.server,
        context=found.context,
        ca=found.ca.data,
        certificate=found.certificate.data,
        key=found.key.data,
        authorization=found.authorization(),
        verify=found.verify,
        tls_server_name=found.tls_server_name,
        proxy=proxy_for(found.server, str(options.get("proxy") or found.proxy), str(options.get("no_proxy") or ""), os.environ),
        impersonate_user=found.impersonate_user,
        impersonate_groups=found.impersonate_groups,
    )
    sources = ", ".join(pem.source for pem in (found.ca, found.certificate, found.key) if pem.source)
    return Resolved(access, found.authorization, sources, options["proxy_headers"])


def _found(options: Mapping[str, Any], scratch: str) -> _Found:
    if _complete(options):
        return _Found()
    if not options.get("kubeconfig") and not options.get("context"):
        account = _service_account(os.environ, _SERVICE_ACCOUNT)
        if account is not None:
            return account
        # A bare host (kubectl proxy) needs no kubeconfig.
        if options.get("host") and not os.path.exists(os.path.expanduser(_default_path().split(os.pathsep)[0])):
            return _Found()
    source = options.get("kubeconfig") or _default_path()
    return _of_kubeconfig(source if isinstance(source, Mapping) else str(source), options, scratch)


def _over(found: _Found, options: Mapping[str, Any]) -> _Found:
    """Put the options over what was found."""
    server = str(options.get("host") or found.server).rstrip("/")
    if options.get("api_key"):
        found = found._replace(authorization=_fixed(f"Bearer {options['api_key']}"))
    elif options.get("username") and options.get("password"):
        found = found._replace(authorization=_basic(options["username"], options["password"]))
    ca, certificate, key = (
        read_pem(str(options[name])) if options.get(name) else pem
        for name, pem in (("ca_cert", found.ca), ("client_cert", found.certificate), ("client_key", found.key))
    )
    if options.get("impersonate_user") or options.get("impersonate_groups"):
        found = found._replace(
            impersonate_user=str(options.get("impersonate_user") or ""),
            impersonate_groups=tuple(map(str, options.get("impersonate_groups") or ())),
        )
    verify = bool(options.get("validate_certs", found.verify))
    return found._replace(server=server, ca=ca, certificate=certificate, key=key, verify=verify)


def _complete(options: Mapping[str, Any]) -> bool:
    """Whether host and credentials are all given, so that no kubeconfig is read."""
    credentials = (("api_key",), ("username", "password"), ("client_cert", "client_key"))
    return bool(options.get("host")) and any(all(options.get(name) for name in names) for names in credentials)


def _of_kubeconfig(source: str | Mapping[str, Any], options: Mapping[str, Any], scratch: str) -> _Found:
    chosen = choose(source, options.get("context"))
    cluster, user = chosen.cluster.fields, chosen.user.fields
    server = str(cluster.get("server") or "")
    found = _Found(
        server=server,
        context=chosen.context,
        verify=not cluster.get("insecure-skip-tls-verify"),
        tls_server_name=str(cluster.get("tls-server-name") or ""),
        proxy=str(cluster.get("proxy-url") or ""),
        impersonate_user=str(user.get("as") or ""),
        impersonate_groups=tuple(map(str, user.get("as-groups") or ())),
    )
    if server.startswith("https"):
        found = found._replace(
            ca=chosen.pem(chosen.cluster, "certificate-authority"),
            certificate=chosen.pem(chosen.user, "client-certificate"),
            key=chosen.pem(chosen.user, "client-key"),
        )
    return _with_credentials(found, chosen, source, options, scratch)


def _with_credentials(found: _Found, chosen: Chosen, source: str | Mapping[str, Any], options: Mapping[str, Any], scratch: str) -> _Found:
    """Add the user's authorization; the first kind that there is counts. What is rarely needed is loaded only then."""
    user = chosen.user.fields
    if user.get("auth-provider"):
        from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.auth_provider import provider_authorization

        persist = bool(options.get("persist_config"))
        return found._replace(authorization=provider_authorization(chosen, source, persist=persist, scratch=scratch))
    if user.get("token"):
        return found._replace(authorization=_fixed(f"Bearer {str(user['token']).strip()}"))
    if user.get("tokenFile"):
        return found._replace(authorization=TokenFile(chosen.user.path("tokenFile")))
    if user.get("exec"):
        from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.credential_plugin import CredentialPlugin

        plugin = CredentialPlugin(chosen)
        if plugin.certificate:
            found = found._replace(certificate=Pem(plugin.certificate, "clientCertificateData"), key=Pem(plugin.key, "clientKeyData"))
        return found._replace(authorization=plugin)
    if user.get("username") and user.get("password"):
        return found._replace(authorization=_basic(user["username"], user["password"]))
    return found


def _service_account(environ: Mapping[str, str], directory: str) -> _Found | None:
    """Return what Kubernetes gives to a pod, None outside of one (client-go rest/config.go, InClusterConfig)."""
    host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT")
    token, ca = os.path.join(directory, "token"), os.path.join(directory, "ca.crt")
    if not host or not port or not os.path.isfile(token) or not os.path.isfile(ca):
        return None
    return _Found(server=f"https://{f'[{host}]' if ':' in host else host}:{port}", ca=read_pem(ca), authorization=TokenFile(token))


def _fixed(header: str) -> Authorization:
    return lambda: header


def _basic(username: object, password: object) -> Authorization:
    return _fixed("Basic " + base64.b64encode(f"{username}:{password}".encode()).decode("ascii"))


def _default_path() -> str:
    return os.environ.get("KUBECONFIG") or "~/.kube/config"


def _of_text(name: str, text: str) -> Any:
    if name in _LISTS:
        return [part for part in text.split(",") if part]
    return text.lower() not in ("0", "false", "no") if name in _BOOLEANS else text
