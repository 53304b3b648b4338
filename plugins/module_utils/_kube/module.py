# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The edge between Ansible and a procedure: options in, one connection, result or failure out."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from importlib.util import find_spec
from typing import Any, NamedTuple

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.connection import Connection, connect
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.progress import Progress
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.redact import Redactor, secret_values

# Options about the connection that are not of one cluster.
_SHARED = ("request_timeout", "max_parallel_requests")
_LIBRARIES = {"yaml": "PyYAML", "urllib3": "urllib3"}
_SECRET_FIELDS = frozenset(
    {"token", "password", "secret", "client-key-data", "access-token", "refresh-token", "id-token", "client-secret", "value"}
)


def lifecycle_spec(**options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the argument spec: the connection options of kubernetes.core, ours for every module, and ``options``."""
    spec: dict[str, Any] = copy.deepcopy(AUTH_ARG_SPEC)
    # kubernetes.core 6.6 took no_log away and masks after the parameters have been logged; ours stays out of the log.
    spec["kubeconfig"]["no_log"] = True
    spec["expected_cluster"] = {"type": "str"}
    spec["request_timeout"] = {"type": "int", "default": 60}
    spec["max_parallel_requests"] = {"type": "int", "default": 8}
    return {**spec, **options}


def source_spec(**options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the argument spec of a module that names its cluster in the option ``source``: a dict with the connection options.

    It is not required here, because some things need no cluster; whatever opens the connection refuses without it.
    """
    connection = lifecycle_spec()
    shared = {name: connection.pop(name) for name in _SHARED}
    return {"source": {"type": "dict", "options": connection}, **shared, **options}


class _Source(NamedTuple):
    """What ``connect`` needs, for a cluster that is named in an option of its own."""

    params: Mapping[str, Any]
    name: str
    tmpdir: str


class LifecycleModule:
    """A module call: its options, its connection (made on first use) and its outcome."""

    def __init__(
        self,
        argument_spec: Mapping[str, Any],
        *,
        explicit: bool,
        supports_check_mode: bool = True,
        cluster_option: str = "",
        **constraints: Any,
    ) -> None:
        self._started = time.monotonic()
        self._module = AnsibleModule(argument_spec=dict(argument_spec), supports_check_mode=supports_check_mode, **constraints)
        self._explicit = explicit
        self._cluster_option = cluster_option
        # Of an error that does not know it: before a procedure, and in a module without one, nothing is written.
        self.state_otherwise = "nothing was written by this run"
        self._secrets = set(_secrets_of(self.params, argument_spec))
        # no_log on the option kubeconfig hides every word of an inline kubeconfig, "v1" and "default" included, and a mere path.
        self._module.no_log_values = {value for value in self._module.no_log_values if value in self._secrets}
        self._check_numbers()

    @property
    def params(self) -> dict[str, Any]:
        """The module's options."""
        params: dict[str, Any] = self._module.params
        return params

    @property
    def name(self) -> str:
        """The module's name."""
        return str(self._module._name)

    @property
    def tmpdir(self) -> str:
        """A private directory that is removed when the module has ended."""
        return str(self._module.tmpdir)

    @property
    def check_mode(self) -> bool:
        """Whether nothing may be written."""
        return bool(self._module.check_mode)

    @property
    def diff_mode(self) -> bool:
        """Whether the user asked for differences."""
        return bool(self._module._diff)

    @cached_property
    def connection(self) -> Connection:
        """The cluster; ``expected_cluster`` has been checked."""
        self._check_libraries()
        connection = connect(self, explicit=self._explicit) if not self._cluster_option else self._connect_to(self._cluster_option)
        self._secrets.update(connection.secrets)
        self._module.no_log_values.update(connection.secrets)
        return connection

    def _connect_to(self, option: str) -> Connection:
        """The K8S_AUTH_* variables do not count here: with two clusters in one call they would name both."""
        shared = {name: self.params[name] for name in _SHARED}
        named = _Source({**(self.params[option] or {}), **shared}, self.name, self.tmpdir)
        return connect(named, explicit=self._explicit, environ={}, where=option)

    @cached_property
    def progress(self) -> Progress:
        """Writer of live progress."""
        return Progress(self.tmpdir)

    @property
    def redactor(self) -> Redactor:
        """Masks the secrets that are known by now."""
        return Redactor(self._secrets)

    @property
    def secrets(self) -> frozenset[str]:
        """The secret values that are known by now."""
        return frozenset(self._secrets)

    def protect(self, values: Any) -> None:
        """Never show those values whose key says that they are secret (``password``, ``token``, …), wherever they turn up."""
        found = set(secret_values(values))
        self._secrets.update(found)
        self._module.no_log_values.update(found)

    def warn(self, text: str) -> None:
        """Show a warning to act on."""
        self._module.warn(self.redactor.text(text))

    def succeed(self, result: Mapping[str, Any]) -> None:
        """End the module with its result."""
        self._module.exit_json(**{"cluster": self._cluster(), **result, "invocation": self._invocation()})

    def fail(self, error: LifecycleError) -> None:
        """End the module with the whole story of ``error``."""
        told = {
            "changed": False,
            "duration": round(time.monotonic() - self._started, 3),
            **error.details,
            "msg": str(error),
            "object": error.object.as_dict() if error.object is not None else None,
            "why": error.why,
            "state": error.state or self.state_otherwise,
            "next": error.next,
            "cluster": error.details.get("cluster") or self._cluster(),
            "invocation": self._invocation(),
        }
        self._module.fail_json(**told)

    def _cluster(self) -> dict[str, str]:
        connection: Connection | None = self.__dict__.get("connection")
        if connection is None:
            return {"server": "", "uid": ""}
        # The uid only when it is known: a failing module does not ask for it.
        return {"server": connection.server, "uid": str(connection.__dict__.get("uid", ""))}

    def protect_values(self, values: Iterable[str]) -> None:
        """Never show these values, wherever they turn up."""
        self._secrets.update(values)
        self._module.no_log_values.update(values)

    def _invocation(self) -> dict[str, Any]:
        params = _without_inline_kubeconfig(self.params)
        if self._cluster_option and isinstance(params.get(self._cluster_option), Mapping):
            params[self._cluster_option] = _without_inline_kubeconfig(params[self._cluster_option])
        return {"module_args": self.redactor.data(params)}

    def _check_numbers(self) -> None:
        for name in ("timeout", "request_timeout", "max_parallel_requests"):
            if name in self.params and (self.params[name] or 0) < 1:
                self._module.fail_json(msg=f"{name} must be at least 1, got {self.params.get(name)}", invocation=self._invocation())

    def _check_libraries(self) -> None:
        # Looked for, not imported: not every connection needs every one.
        for name, library in _LIBRARIES.items():
            if find_spec(name) is None:
                raise LifecycleError(
                    f"A Python library is missing: {library}",
                    why=missing_required_lib(library),
                    next=f"install it for that interpreter: pip install '{library}'",
                )


def run(
    main: Callable[[LifecycleModule], Mapping[str, Any]],
    argument_spec: Mapping[str, Any],
    *,
    explicit: bool,
    supports_check_mode: bool = True,
    cluster_option: str = "",
    **constraints: Any,
) -> None:
    """Run ``main`` as an Ansible module: what it returns is the result, a LifecycleError is the failure.

    ``explicit``: refuse a connection that no option names (every module that writes). ``cluster_option`` is the option that
    names the cluster (see ``source_spec``). ``constraints`` are those of AnsibleModule (``mutually_exclusive``, …).
    """
    module = LifecycleModule(
        argument_spec, explicit=explicit, supports_check_mode=supports_check_mode, cluster_option=cluster_option, **constraints
    )
    try:
        result = main(module)
    except LifecycleError as error:
        module.fail(error)
    else:
        module.succeed(result)


def _without_inline_kubeconfig(params: Mapping[str, Any]) -> dict[str, Any]:
    return {**params, "kubeconfig": "(inline)"} if isinstance(params.get("kubeconfig"), Mapping) else dict(params)


def _secrets_of(params: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[str]:
    """Yield the secret values among the options."""
    for name, option in spec.items():
        value = params.get(name)
        if name == "kubeconfig":
            yield from _kubeconfig_secrets(value)
        elif option.get("no_log") and value:
            yield str(value)
        elif isinstance(value, Mapping) and option.get("options"):
            yield from _secrets_of(value, option["options"])


def _kubeconfig_secrets(value: Any, *, secret: bool = False) -> Iterator[str]:
    """Yield the secrets of an inline kubeconfig; ``value`` is that of a credential plugin's environment variable."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _kubeconfig_secrets(item, secret=key in _SECRET_FIELDS)
    elif isinstance(value, list):
        for item in value:
            yield from _kubeconfig_secrets(item)
    elif secret and isinstance(value, str) and value:
        yield value
