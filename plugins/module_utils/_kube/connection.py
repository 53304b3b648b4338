# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connect once: the API client, helm and istioctl all use what is resolved here."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Protocol

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.credentials import (
    Resolved,
    connection_options,
    require_explicit,
    resolve,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.identity import check_expected_cluster, cluster_uid, server_version
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kubeconfig import write_kubeconfig
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.pool import pool_manager
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.transport import Transport
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.version import VERSION


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
        self._resolved, self._directory = resolved, directory
        self._lock = threading.Lock()
        self._path = os.path.join(directory, "kubeconfig")
        self.access = resolved.access
        self.server, self.context = self.access.server, self.access.context
        write_kubeconfig(self._path, self.access)
        self._name, self._request_timeout, self._parallel = name, request_timeout, parallel

    @cached_property
    def api(self) -> Api:
        """The client; raises LifecycleError for certificate files that are none."""
        transport = Transport(self.server, self.pool, authorization=self.authorization, headers=self.headers, parallel=self._parallel)
        return Api(transport, request_timeout=self._request_timeout, parallel=self._parallel)

    @cached_property
    def pool(self) -> Any:
        """The urllib3 pool manager that all requests go through; raises LifecycleError for certificate files that are none."""
        resolved = self._resolved
        return pool_manager(self.access, resolved.certificate_sources, resolved.proxy_headers, self._directory, self._parallel)

    @property
    def headers(self) -> list[tuple[str, str]]:
        """What every request says of itself; not the Authorization."""
        headers = [("User-Agent", f"meshops.lifecycle/{VERSION} {self._name}")]
        if self.access.impersonate_user:
            headers.append(("Impersonate-User", self.access.impersonate_user))
        return headers + [("Impersonate-Group", group) for group in self.access.impersonate_groups]

    @property
    def kubeconfig_path(self) -> str:
        """A kubeconfig of our own (0600) with everything inside; its token is renewed when the connection's is."""
        self.authorization()
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

    def authorization(self) -> str:
        """Return the current Authorization header, renewed when it has to be; empty when there is none."""
        with self._lock:
            current = self._resolved.authorization()
            if current != self.access.authorization:
                self.access = self.access._replace(authorization=current)
                write_kubeconfig(self._path, self.access)
            return current


def connect(module: Caller, *, explicit: bool, environ: Mapping[str, str] | None = None, where: str = "") -> Connection:
    """Return the connection that the module's options name; the cluster is only contacted when ``expected_cluster`` is given.

    ``explicit``: refuse when no option or K8S_AUTH_* variable of ``environ`` (by default the
    process') names a cluster; ``where`` is the option that has the
    connection's options, if they are not the module's own. Raises LifecycleError for unusable options,
    Refused for the wrong cluster, KubeError when that cannot be found out.
    """
    options = connection_options(module.params, os.environ if environ is None else environ)
    if explicit:
        require_explicit(options, where)
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
