# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cluster whose mesh is put back to what it was: tests that upgrade a mesh need an old one again."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from charts.repository import write_chart
from kept_states import KeptStates
from run_module import Module, run_module, start_module
from sandboxlib import processes, state
from sandboxlib.apps import deploy_apps
from sandboxlib.binaries import binary
from sandboxlib.cluster import Cluster
from sandboxlib.errors import SandboxError
from sandboxlib.options import Options
from sandboxlib.rollouts import wait_for_rollouts

Result = dict[str, Any]


@dataclass(frozen=True)
class Mesh:
    """A mesh as it is installed: ``values`` is YAML text that ``helm install`` gets, ``apps`` adds the bookstore,
    ``helm`` is the set of binaries whose helm installs it."""

    version: str = "1.2.3"
    name: str = "osm"
    release: str = "osm"
    namespace: str = "osm-system"
    apps: bool = False
    values: str = ""
    helm: str = "helm"
    product: str = "osm-edge"

    @property
    def prefix(self) -> str:
        """How the names of its objects begin; the key that holds all of its chart's values as well."""
        return "fsm" if self.product == "fsm" else "osm"

    @property
    def mesh_config_path(self) -> str:
        """The path of its MeshConfig in the API."""
        group = "config.flomesh.io/v1alpha3" if self.product == "fsm" else "config.openservicemesh.io/v1alpha2"
        return f"/apis/{group}/namespaces/{self.namespace}/meshconfigs/{self.prefix}-mesh-config"


MESH = Mesh()
BOOKSTORE = Mesh(apps=True)
_SETTLE_SECONDS = 60.0
# Less than a test waits for a module, way back included, so that the module itself tells what it waits for.
_UPGRADE_SECONDS = 120


@dataclass
class MeshCluster:
    """One cluster and what was kept of its earlier states. ``mesh`` is the state that it was last put to."""

    cluster: Cluster
    mesh: Mesh = MESH
    _states: KeptStates = field(init=False)
    _state: Hashable = None
    _since: int = -1

    def __post_init__(self) -> None:
        self._states = KeptStates(self.cluster)

    def reset(self, mesh: Mesh = MESH) -> Cluster:
        """Return the cluster with exactly this mesh, freshly installed; nothing is done when it is so and nobody wrote since."""
        return self._reset(mesh, mesh, lambda: self._build(mesh))

    def reset_prepared(self, mesh: Mesh, name: str, prepare: Callable[[MeshCluster], None]) -> Cluster:
        """Return the cluster with this mesh and what ``prepare`` has made of it, which is done once and kept as ``name``."""

        def build() -> None:
            self.reset(mesh)
            prepare(self)
            self._keep((mesh, name))

        return self._reset((mesh, name), mesh, build)

    def _reset(self, key: Hashable, mesh: Mesh, build: Callable[[], None]) -> Cluster:
        if self._since >= 0 and key == self._state and self._untouched():
            return self.cluster
        if key not in self._states:
            build()
        elif self._since >= 0:
            self._restore(key)
        self.mesh, self._state, self._since = mesh, key, self.cluster.mark()
        return self.cluster

    def _untouched(self) -> bool:
        return not self.cluster.dead_components() and not self.cluster.writes_since(self._since)

    def _build(self, mesh: Mesh) -> None:
        if mesh.apps:
            self.reset(replace(mesh, apps=False))
            deploy_apps(
                self.cluster, Options(mesh=f"{mesh.product}={mesh.version}", mesh_name=mesh.name, apps="bookstore"), lambda text: None
            )
        else:
            self._empty()
            install(self.cluster, mesh)
        self._keep(mesh)

    def _empty(self) -> None:
        if None in self._states:
            self._restore(None)
        else:
            self.cluster.up(Options())
            self._keep(None)
        self.cluster.standin.start()

    def _keep(self, key: Hashable) -> None:
        self._states.keep(key)
        if key is not None:
            self.cluster.standin.start()

    def _restore(self, key: Hashable) -> None:
        self._states.restore(key)
        if key is not None:
            self.cluster.standin.start()

    # Working with it

    def options(self, **options: Any) -> dict[str, Any]:
        """Options of a module on this cluster: its connection, and ``options``."""
        return {"kubeconfig": str(self.cluster.kubeconfig), **options}

    def upgrade(self, *, check: bool = False, diff: bool = False, **options: Any) -> Result:
        """Run ``mesh_upgrade`` to its end; to chart 1.3.9 unless ``options`` say otherwise."""
        try:
            return run_module("mesh_upgrade", self._upgrade_options(options), check=check, diff=diff, env=self.environment)
        finally:
            self._check_alive()

    def start_upgrade(self, *, diff: bool = False, tmpdir: Path | None = None, **options: Any) -> Module:
        """Start ``mesh_upgrade`` and return its process; ``tmpdir`` is where it finds ``progress.jsonl``."""
        return start_module("mesh_upgrade", self._upgrade_options(options), diff=diff, env=self.environment, tmpdir=tmpdir)

    def _upgrade_options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        chart = {} if "chart_ref" in options or "chart_version" in options else {"chart_ref": str(self.chart("1.3.9"))}
        return self.options(**{"binary_path": str(binary("helm")), "timeout": _UPGRADE_SECONDS, **chart, **options})

    def _check_alive(self) -> None:
        """Raise SandboxError with the last words of a component that has ended: a mesh that nobody plays never becomes ready."""
        known = state.processes(self.cluster.directory)
        tails = [
            f"{name} has ended. The end of its log:\n{processes.log_tail(Path(known[name].log))}" for name in self.cluster.dead_components()
        ]
        if tails:
            raise SandboxError("\n".join(tails))

    @cached_property
    def environment(self) -> dict[str, str]:
        """What the modules' helm must not read or keep in the user's home."""
        return {name: value for name, value in self.cluster.environment().items() if name.startswith("HELM_")}

    def chart(self, version: str, product: str = "osm-edge") -> Path:
        """The directory of the product's chart of that version."""
        directory = self.cluster.directory / "charts"
        directory.mkdir(exist_ok=True)
        path = directory / f"{product}-{version}"
        return path if path.exists() else write_chart(f"{product}-{version}", directory)

    def get(self, path: str) -> Result:
        """The object at this path of the API, by a user whose requests do not count."""
        found: Result = self.cluster.api.get(path)
        return found

    @property
    def mesh_config(self) -> Result:
        """The ``spec`` of the MeshConfig."""
        spec: Result = self.get(self.mesh.mesh_config_path)["spec"]
        return spec

    def patch_mesh_config(self, spec: Mapping[str, Any]) -> None:
        """Merge ``spec`` into the MeshConfig, as a user does with kubectl."""
        patch = yaml.safe_dump({"spec": dict(spec)})
        self.cluster.kubectl(
            "patch", "meshconfig", f"{self.mesh.prefix}-mesh-config", "-n", self.mesh.namespace, "--type=merge", "-p", patch
        )


def install(cluster: Cluster, mesh: Mesh) -> None:
    """Install the mesh with helm and wait until it injects."""
    with tempfile.TemporaryDirectory() as scratch:
        chart = write_chart(f"{mesh.product}-{mesh.version}", Path(scratch))
        where = ("--namespace", mesh.namespace, "--create-namespace", "--set", f"{mesh.prefix}.meshName={mesh.name}", "-f", "-")
        cluster.helm("install", mesh.release, str(chart), *where, stdin=mesh.values, of=mesh.helm)
    deadline = time.monotonic() + _SETTLE_SECONDS
    while not _injects(cluster, mesh):
        if time.monotonic() > deadline or not cluster.standin.alive:
            raise SandboxError(f"mesh {mesh.name} {mesh.version} was installed, but has no webhook or MeshConfig")
        time.sleep(0.1)
    wait_for_rollouts(cluster.api, [mesh.namespace])


def _injects(cluster: Cluster, mesh: Mesh) -> bool:
    admission = "/apis/admissionregistration.k8s.io/v1"
    webhooks = (
        f"{admission}/mutatingwebhookconfigurations/{mesh.prefix}-webhook-{mesh.name}",
        f"{admission}/validatingwebhookconfigurations/{mesh.prefix}-validator-mesh-{mesh.name}",
    )
    api = cluster.api
    if not all(api.exists(path) for path in (mesh.mesh_config_path, *webhooks)):
        return False
    return all(entry["clientConfig"].get("caBundle") for path in webhooks for entry in api.get(path)["webhooks"])


def told(result: Result) -> str:
    """What a module that failed says, for the message of an assertion."""
    return "\n".join(f"{key}: {result[key]}" for key in ("msg", "why", "reason", "state", "next") if result.get(key))


def eventually(condition: Callable[[], object], what: str, seconds: float = 30) -> None:
    """Wait until ``condition`` holds; fails with ``what`` when it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def succeeds(command: Callable[[], object]) -> None:
    """Repeat a command until it works: a mesh that is being upgraded refuses some for a moment."""
    told: list[str] = []

    def done() -> bool:
        try:
            command()
        except SandboxError as error:
            told.append(str(error))
            return False
        return True

    try:
        eventually(done, "the command kept failing")
    except AssertionError as error:
        raise AssertionError(told[-1]) from error
