# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One cluster: bring it up, work with it, ask its audit log, put it down."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from . import binaries, components, istio, mesh, paths, processes, startup, state
from .api import Api, api_of
from .apps import deploy_apps, manifest
from .audit import AuditLog, Event
from .errors import SandboxError
from .layout import Layout
from .loopback import free_network, free_port
from .options import DEFAULTS, Options
from .standin import ARGO_NAME, OPENSHIFT_NAME, STANDIN_NAME, StandIn, argo_standin, mesh_standin, openshift_standin
from .users import PROBE, User, kubeconfig_for, usable_groups

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
_ATTEMPTS = 5


class Cluster:
    """The cluster called ``name`` in ``home`` (default: where the command line keeps them), up or not."""

    def __init__(self, name: str, home: Path | None = None) -> None:
        if not _NAME.fullmatch(name):
            raise SandboxError(f"{name!r} is no name for a cluster: up to 40 lower-case letters, digits and dashes")
        self.name = name
        self.directory = (home or paths.clusters()).absolute() / name
        if ":" in str(self.directory):
            raise SandboxError(f"{self.directory}: KUBECONFIG cannot hold a path with a colon; set MESHOPS_SANDBOX_HOME")

    def up(self, options: Options = DEFAULTS, say: Callable[[str], None] = lambda text: None) -> bool:
        """Bring the cluster up; False when it already was. What is dead or half-started is cleaned and started again.

        ``say`` gets a line per stage. Raises SandboxError when it is up with other options, or when a component
        fails; then nothing of it is left.
        """
        _check(options)
        binaries.build(options.binary_sets)
        with state.claimed(self.directory, create=True):
            record = state.Record.load(self.directory)
            if record is not None and record.complete and not self.dead_components():
                if difference := record.layout.options.difference(options):
                    raise SandboxError(
                        f"cluster {self.name} is up with other options ({difference}): "
                        f"put it down first (sandbox down {self.name}), or choose another name"
                    )
                return False
            if record is not None:
                say(f"{self.name} is half-started or not fully alive: cleaning it and starting again")
            try:
                self._start(options, say)
            except BaseException:
                self._clear()
                state.remove(self.directory)
                raise
        return True

    def _start(self, options: Options, say: Callable[[str], None]) -> None:
        for attempt in range(1, _ATTEMPTS + 1):
            self._clear()
            layout = Layout(self.directory, options, free_network(), free_port(), free_port(), free_port())
            created = datetime.now(UTC).isoformat(timespec="seconds")
            record = state.Record(layout, complete=False, created=created)
            record.save()
            try:
                startup.prepare(layout)
                startup.start(layout)
                break
            except startup.AddressTaken as clash:
                if attempt == _ATTEMPTS:
                    raise SandboxError(f"{clash}: its address was taken {_ATTEMPTS} times in a row") from clash
        say(f"control plane is up at {layout.server}")
        if options.mesh:
            mesh.install(self, options, say)
        if options.istio:
            istio.install(self, options, say)
        if options.hosted:
            _bring_up_hosted(self, options, say)
        if options.apps:
            deploy_apps(self, options, say)
        replace(record, complete=True).save()

    def down(self) -> bool:
        """End what was started for the cluster and remove its directory; False when there was none."""
        with state.claimed(self.directory, create=False) as present:
            if present:
                self._clear()
                state.remove(self.directory)
        return present

    def _clear(self) -> None:
        """End all processes and empty the directory (which is the lock, so it stays)."""
        # An API server takes seconds to end gracefully; nothing that it would still save is kept.
        processes.stop(state.processes(self.directory).values(), patience=1.0)
        for entry in self.directory.iterdir():
            state.remove(entry) if entry.is_dir() else entry.unlink()

    # What it is

    @property
    def record(self) -> state.Record:
        """What is recorded about the cluster; raises SandboxError when there is none."""
        record = state.Record.load(self.directory)
        if record is None:
            raise SandboxError(f"there is no cluster {self.name} in {self.directory.parent} (sandbox up {self.name})")
        return record

    @property
    def layout(self) -> Layout:
        return self.record.layout

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig (user ``sandbox-admin``)."""
        return self.layout.directory / "kubeconfig"

    @property
    def server(self) -> str:
        return self.layout.server

    @property
    def service_range(self) -> str:
        """The range of cluster IPs, a part of 127/8: local processes can listen on them."""
        return self.layout.network.service_range

    def dead_components(self) -> list[str]:
        """The components that were started and do not run any more."""
        return sorted(name for name, process in state.processes(self.directory).items() if not process.alive)

    # Working with it

    def kubeconfig_for(self, user: str, groups: Sequence[str] = ()) -> Path:
        """A kubeconfig that authenticates as ``user`` in ``groups``, who may do what RBAC grants: at first next to nothing."""
        return kubeconfig_for(self.layout, User(user, usable_groups(groups)))

    @property
    def api(self) -> Api:
        """Plain requests that do not count as anybody's in the audit log's writes."""
        return api_of(kubeconfig_for(self.layout, PROBE))

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """Run kubectl as administrator and return its output; SandboxError with its error text when it fails."""
        return self._run("kubectl", arguments, stdin)

    def helm(self, *arguments: str, stdin: str = "", of: str = "") -> str:
        """Run helm (that of the set ``of``) as administrator and return its output; SandboxError with its error text when it fails."""
        return self._run("helm", arguments, stdin, of)

    def _run(self, command: str, arguments: Sequence[str], stdin: str, of: str = "") -> str:
        done = subprocess.run(
            [str(binaries.binary(command, of)), *arguments],
            input=stdin,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SandboxError(f"{command} {' '.join(arguments)} failed ({done.returncode}): {done.stderr.strip()}")
        return done.stdout

    def environment(self) -> dict[str, str]:
        """The environment for kubectl and helm: this cluster, and nothing read from or kept in the user's home."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HELM_", "KUBE"))}
        private = {f"HELM_{what}_HOME": str(self.directory / "helm" / what.lower()) for what in ("CACHE", "CONFIG", "DATA")}
        kubectl = {"KUBECONFIG": str(self.kubeconfig), "KUBECACHEDIR": str(self.directory / "kubectl"), "KUBERC": "off"}
        return kept | private | kubectl

    # The audit log

    @cached_property
    def _audit_log(self) -> AuditLog:
        return AuditLog(self.directory / "audit.log")

    def mark(self) -> int:
        """The present position in the audit log."""
        return self._audit_log.mark()

    def audit(self) -> list[Event]:
        """Everything in the audit log, in the order of the answers."""
        return self._audit_log.events()

    def audit_since(self, mark: int) -> list[Event]:
        return self._audit_log.events(mark)

    def writes_since(self, mark: int, *, user: str | None = None, user_agent: str | None = None) -> list[Event]:
        """The writes behind the mark that are not those of the sandbox's own components; see AuditLog.writes."""
        return self._audit_log.writes(mark, user=user, user_agent=user_agent)

    # Faults

    @property
    def standin(self) -> StandIn:
        """The process that plays the mesh's pods; stopping it is what a dead injector is."""
        return mesh_standin(self.layout)

    @property
    def openshift(self) -> StandIn:
        """The process that serves and runs DeploymentConfigs; started by whoever needs them."""
        return openshift_standin(self.layout)

    @property
    def argo(self) -> StandIn:
        """The process that runs Argo's Rollouts; started by whoever needs them."""
        return argo_standin(self.layout)

    @property
    def istio(self) -> istio.Istio:
        """Istio's control plane: ``cluster.istio.stop()`` is a dead injector, ``cluster.istio.upgrade(version)`` changes it."""
        return istio.Istio(self)

    def stop(self, component: str) -> None:
        """End one component and wait until it is gone."""
        processes.stop([self.process(component)])

    def start(self, component: str) -> None:
        """Start a component again that was stopped or killed, with the arguments it had, on the same port."""
        if self.process(component).alive:
            return
        layout = self.layout
        standins = {STANDIN_NAME: self.standin, OPENSHIFT_NAME: self.openshift, ARGO_NAME: self.argo}
        if component in standins:
            standins[component].start()
        elif component.startswith("istiod"):
            self.istio.start(istio.revision_of(component))
        else:
            startup.start_components(layout, [component])
            self.record.save()  # with the new pid
        if component in components.API:
            api = self.api
            startup.wait(layout, [component], "the API server to be ready again", lambda: api.ready)

    def restart(self, component: str) -> None:
        """Stop a component and start it again, on the same port."""
        self.stop(component)
        self.start(component)

    def process(self, component: str) -> processes.Process:
        """The process of a component, such as "kube-apiserver"; raises SandboxError when the cluster has none of that name."""
        known = state.processes(self.directory)
        if component not in known:
            raise SandboxError(f"cluster {self.name} has no component {component}: it has {', '.join(sorted(known)) or 'none'}")
        return known[component]


def _bring_up_hosted(cluster: Cluster, options: Options, say: Callable[[str], None]) -> None:
    """A test makes its own hosted clusters ("-"); a person gets what they named."""
    if options.hosted != "-":
        from hosted.bed import bring_up  # on demand: it needs boto3

        bring_up(cluster, options.hosted, say)


def _check(options: Options) -> None:
    """Refuse a mesh or applications that there are none of, before anything is built or started."""
    if options.mesh:
        mesh.release(options.mesh)
    if options.apps:
        manifest(options)


def all_clusters(home: Path | None = None) -> list[Cluster]:
    """Every cluster in ``home``, half-started ones too, by name."""
    directory = home or paths.clusters()
    if not directory.is_dir():
        return []
    return [Cluster(entry.name, directory) for entry in sorted(directory.iterdir()) if entry.is_dir() and _NAME.fullmatch(entry.name)]
