# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Turn the options of kubernetes.core (and their K8S_AUTH_* variables) into one resolved configuration.

The order is that of kubernetes.core 6.x ``module_utils/k8s/client.py``: host with credentials; else kubeconfig or context;
else, only where an implicit connection is allowed, the pod's service account and then the default kubeconfig. Its
``get_api_client`` is not called, because it sends requests (see api.py); the parsing of kubeconfig files and credential
plugins is the Python client's own.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError, Refused

EXPLICIT = ("kubeconfig", "context", "host", "api_key")
_TRUE_NAMES = {"validate_certs": "verify_ssl", "ca_cert": "ssl_ca_cert", "client_cert": "cert_file", "client_key": "key_file"}
_LISTS = ("impersonate_groups",)
_BOOLEANS = ("validate_certs", "persist_config")
_PROXY_HEADERS = ("proxy_basic_auth", "basic_auth", "user_agent")


class Resolved(NamedTuple):
    """``configuration`` is a ``kubernetes.client.Configuration``; ``context`` is empty when no kubeconfig was used."""

    configuration: Any
    context: str
    options: Mapping[str, Any]


def connection_options(params: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the connection options that were given, by module option or else by K8S_AUTH_* variable."""
    names = (*EXPLICIT, "username", "password", *_TRUE_NAMES, "proxy", "no_proxy", "persist_config", "impersonate_user", *_LISTS)
    options: dict[str, Any] = {}
    for name in names:
        value = params.get(name)
        if value is None:
            text = environ.get(f"K8S_AUTH_{name.upper()}") or environ.get(f"K8S_AUTH_{_TRUE_NAMES.get(name, name).upper()}")
            value = _of_text(name, text) if text else None
        if value is not None and value != "":
            options[name] = value
    headers = params.get("proxy_headers") or {name: environ.get(f"K8S_AUTH_PROXY_HEADERS_{name.upper()}") for name in _PROXY_HEADERS}
    options["proxy_headers"] = {name: value for name, value in headers.items() if value}
    return options


def require_explicit(options: Mapping[str, Any]) -> None:
    """Raise Refused when the connection would be whatever cluster happens to be current."""
    if any(options.get(name) for name in EXPLICIT):
        return
    raise Refused(
        "No cluster is named, and a module that changes a cluster does not take the current one",
        why="none of kubeconfig, context, host and api_key is given, neither as an option nor as a K8S_AUTH_* variable",
        state="nothing was contacted",
        next="set kubeconfig (and context), or host and api_key, for instance in module_defaults for group/meshops.lifecycle.all",
    )


def resolve(options: Mapping[str, Any], scratch: str) -> Resolved:
    """Return the configuration that ``options`` name; files that the Python client writes (certificates) go to ``scratch``.

    Raises LifecycleError for a missing or broken kubeconfig, an unknown context (naming the existing ones), and a
    credential plugin that failed.
    """
    import kubernetes.client
    import kubernetes.config

    configuration = kubernetes.client.Configuration()
    context = ""
    with _temporary_files_in(scratch):
        if not _complete(options):
            if options.get("kubeconfig") or options.get("context"):
                context = _load_kubeconfig(configuration, options)
            else:
                try:
                    kubernetes.config.load_incluster_config(client_configuration=configuration)
                except kubernetes.config.ConfigException:
                    # A bare host (kubectl proxy) needs no kubeconfig.
                    if not options.get("host") or os.path.exists(_default_path().split(os.pathsep)[0]):
                        context = _load_kubeconfig(configuration, options)
    _override(configuration, options)
    return Resolved(configuration, context, options)


def authorization_of(configuration: Any) -> str:
    """Return the current Authorization header of a configuration, refreshed when it has expired."""
    if configuration.refresh_api_key_hook is not None:
        configuration.refresh_api_key_hook(configuration)
    # The key's name changed from "authorization" to "BearerToken" in the Python client.
    token = configuration.api_key.get("authorization") or configuration.api_key.get("BearerToken") or ""
    if not token and configuration.username and configuration.password:
        import urllib3

        return str(urllib3.util.make_headers(basic_auth=f"{configuration.username}:{configuration.password}")["authorization"])
    scheme, _space, rest = str(token).partition(" ")
    return f"{scheme.capitalize()} {rest.strip()}" if rest else ""


def _override(configuration: Any, options: Mapping[str, Any]) -> None:
    """Put the options over what the kubeconfig says."""
    names = ("host", "username", "password", "validate_certs", "ca_cert", "client_cert", "client_key", "proxy", "no_proxy")
    for name in names:
        if name in options:
            setattr(configuration, _TRUE_NAMES.get(name, name), options[name])
    configuration.host = str(configuration.host).rstrip("/")
    if options.get("api_key"):
        configuration.api_key = {"authorization": f"Bearer {options['api_key']}"}
        configuration.refresh_api_key_hook = None
    elif options.get("username") and options.get("password"):
        configuration.api_key, configuration.refresh_api_key_hook = {}, None
    if options.get("proxy_headers"):
        import urllib3

        configuration.proxy_headers = urllib3.util.make_headers(**options["proxy_headers"])


def _complete(options: Mapping[str, Any]) -> bool:
    """Whether host and credentials are all given, so that no kubeconfig is read."""
    credentials = (("api_key",), ("username", "password"), ("client_cert", "client_key"))
    return bool(options.get("host")) and any(all(options.get(name) for name in names) for names in credentials)


def _load_kubeconfig(configuration: Any, options: Mapping[str, Any]) -> str:
    """Load the kubeconfig into ``configuration`` and return the context's name."""
    import kubernetes.config

    source = options.get("kubeconfig") or _default_path()
    persist = bool(options.get("persist_config"))
    documents = [source] if isinstance(source, Mapping) else _read_files(str(source))
    where = "the inline kubeconfig" if isinstance(source, Mapping) else f"kubeconfig {source}"
    context = _choose_context(documents, options.get("context"), where)
    with _logged() as complaints:
        try:
            if isinstance(source, Mapping):
                kubernetes.config.load_kube_config_from_dict(
                    dict(source), context=context, client_configuration=configuration, persist_config=persist
                )
            else:
                kubernetes.config.load_kube_config(str(source), context=context, client_configuration=configuration, persist_config=persist)
        except (kubernetes.config.ConfigException, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise LifecycleError(
                f"Context {context} of {where} cannot be used",
                why=str(error),
                next="correct the context's cluster and user in that file; kubectl --context shows the same error",
            ) from error
    cluster, user = _entries(documents, context)
    # The Python client knows these two only from 25 and 27 on.
    if cluster.get("tls-server-name"):
        configuration.tls_server_name = str(cluster["tls-server-name"])
    if cluster.get("proxy-url"):
        configuration.proxy = str(cluster["proxy-url"])
    if "exec" in user and not configuration.api_key and not configuration.cert_file:
        raise LifecycleError(
            f"The credential plugin of context {context} in {where} gave no credentials",
            why="; ".join(complaints) or "it ended without a token or certificate",
            next="run the plugin's command by hand (users[].user.exec in that file), and log in again if it asks for that",
        )
    return context


def _read_files(paths: str) -> list[Mapping[str, Any]]:
    """Return the parsed kubeconfig files of a path list; at least one must exist, and all that exist must be readable."""
    import yaml

    documents: list[Mapping[str, Any]] = []
    for path in filter(None, map(os.path.expanduser, paths.split(os.pathsep))):
        try:
            with open(path, encoding="utf-8") as stream:
                data = yaml.safe_load(stream)
        except FileNotFoundError:
            continue
        except (OSError, UnicodeError) as error:
            raise LifecycleError(f"kubeconfig {path} cannot be read", why=str(error), next="correct the path or its permissions") from error
        except yaml.YAMLError as error:
            # Not the parser's own text: it quotes the line, which may hold a token.
            mark = getattr(error, "problem_mark", None)
            place = f"line {mark.line + 1}" if mark is not None else "an unknown line"
            raise LifecycleError(f"kubeconfig {path} is not valid YAML", why=f"syntax error in {place}", next="correct the file") from error
        if not isinstance(data, Mapping):
            raise LifecycleError(
                f"kubeconfig {path} is not a kubeconfig", why="it is empty or not a mapping", next="correct the path or the file"
            )
        documents.append(data)
    if not documents:
        raise LifecycleError(
            f"kubeconfig {paths} does not exist", why="no such file", next="correct the option kubeconfig (or K8S_AUTH_KUBECONFIG)"
        )
    return documents


def _choose_context(documents: list[Mapping[str, Any]], wanted: str | None, where: str) -> str:
    names = [str(entry.get("name")) for document in documents for entry in document.get("contexts") or () if isinstance(entry, Mapping)]
    current = [str(document["current-context"]) for document in documents if document.get("current-context")]
    # The last file wins, as in the Python client (config/kube_config.py, KubeConfigMerger).
    context = wanted or (current[-1] if current else "")
    existing = ", ".join(sorted(set(names))) or "none"
    if not context:
        raise LifecycleError(f"{where} has no current context", why=f"contexts in it: {existing}", next="set the option context")
    if context not in names:
        raise LifecycleError(f"{where} has no context {context}", why=f"contexts in it: {existing}", next="correct the option context")
    return context


def _entries(documents: list[Mapping[str, Any]], context: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the cluster and the user of a context; empty where there is none."""

    def named(section: str, key: str, name: object) -> Mapping[str, Any]:
        entries = [entry for document in documents for entry in document.get(section) or () if isinstance(entry, Mapping)]
        return next((entry.get(key) or {} for entry in entries if entry.get("name") == name), {})

    chosen = named("contexts", "context", context)
    return named("clusters", "cluster", chosen.get("cluster")), named("users", "user", chosen.get("user"))


def _default_path() -> str:
    return os.environ.get("KUBECONFIG") or "~/.kube/config"


def _of_text(name: str, text: str) -> Any:
    if name in _LISTS:
        return [part for part in text.split(",") if part]
    return text.lower() not in ("0", "false", "no") if name in _BOOLEANS else text


@contextmanager
def _temporary_files_in(directory: str) -> Iterator[None]:
    """Keep the Python client's certificate files out of the shared /tmp (it has no parameter for that before 26)."""
    before = tempfile.tempdir
    tempfile.tempdir = directory
    try:
        yield
    finally:
        tempfile.tempdir = before


@contextmanager
def _logged() -> Iterator[list[str]]:
    """Collect what the Python client only logs: a failed credential plugin raises nothing."""
    messages: list[str] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    handler, logger = Collect(level=logging.WARNING), logging.getLogger()
    logger.addHandler(handler)
    try:
        yield messages
    finally:
        logger.removeHandler(handler)
