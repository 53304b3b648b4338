# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Istio, the real one: istioctl installs it, and istiod runs as a local process where its Service is.

KWOK plays istiod's pods and nothing runs in them. For every Deployment of istiod (one per revision) a ``pilot-discovery`` of the
version that the Deployment's image names listens on the cluster IP of its Service, with the arguments and the environment of the
Deployment: it makes its CA, trusts itself in the webhook configurations, and injects.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import processes, state
from .binaries import binary, build
from .binary_sets import ISTIO_VERSIONS
from .errors import SandboxError
from .layout import Layout
from .options import Options
from .users import ISTIOD, kubeconfig_for

if TYPE_CHECKING:
    from .cluster import Cluster

NAMESPACE = "istio-system"
DEFAULT = "default"
_READY_SECONDS = 60.0
_GONE_SECONDS = 60.0
_NATIVE = "ENABLE_NATIVE_SIDECARS"
_PORTS = {"httpAddr": 8080, "httpsAddr": 443, "grpcAddr": 15010, "secureGRPCAddr": 15012, "monitoringAddr": 15014}


class Istio:
    """The Istio of one cluster. A revision is what ``istioctl install --revision`` calls it; "default" is the one without."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def install(self, version: str, *arguments: str, revision: str = DEFAULT, native_sidecars: bool | None = None) -> None:
        """Install this version, or change the revision to it, and wait until it injects; ``arguments`` are istioctl's.

        Native sidecars are what was asked for when the revision was installed, unless said. Raises SandboxError when
        istioctl or istiod fails.
        """
        _check_version(version)
        build([_set(version)])
        command = ["install", "--skip-confirmation", "--set", "profile=minimal"]
        if self._native_sidecars(revision) if native_sidecars is None else native_sidecars:
            command += ["--set", f"values.pilot.env.{_NATIVE}=true"]
        if revision != DEFAULT:
            command += ["--revision", revision]
        self.istioctl(*command, *arguments, version=version)
        self.stop(revision)
        self.start(revision)

    def upgrade(self, version: str, *arguments: str, revision: str = DEFAULT) -> None:
        """Change the control plane to another version, newer or older; sidecars that are there stay as they are."""
        self.version(revision)
        self.install(version, *arguments, revision=revision)

    def _native_sidecars(self, revision: str) -> bool:
        for item in self._deployments():
            if item["metadata"]["name"] == component(revision):
                return _plain_environment(item).get(_NATIVE) == "true"
        return self._layout.options.istio_native_sidecars

    def remove(self, revision: str) -> None:
        """Uninstall one revision and wait until its Deployment is gone: istioctl returns while it is still being deleted."""
        version = self.version(revision)
        self._forget(revision)
        self.istioctl("uninstall", "--skip-confirmation", "--revision", revision, version=version)
        deadline = time.monotonic() + _GONE_SECONDS
        while revision in self.revisions:
            if time.monotonic() > deadline:
                raise SandboxError(f"the Deployment of revision {revision} is still there {_GONE_SECONDS:g} s after it was uninstalled")
            time.sleep(0.05)

    # What there is

    @property
    def revisions(self) -> dict[str, str]:
        """The version of every revision that is installed, by the revision's name."""
        return {item["metadata"]["labels"]["istio.io/rev"]: _version(item) for item in self._deployments()}

    def _deployments(self) -> list[dict[str, Any]]:
        path = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments?labelSelector=app%3Distiod"
        items: list[dict[str, Any]] = self._cluster.api.get(path)["items"]
        return items

    def version(self, revision: str = DEFAULT) -> str:
        """The version that is installed as ``revision``; SandboxError when none is."""
        found = self.revisions
        if revision not in found:
            raise SandboxError(f"there is no Istio of revision {revision}, only {', '.join(sorted(found)) or 'none'}")
        return found[revision]

    def alive(self, revision: str = DEFAULT) -> bool:
        """Whether istiod of this revision runs."""
        process = self._process(revision)
        return process is not None and process.alive

    def istioctl(self, *arguments: str, version: str = "") -> str:
        """Run istioctl (of the version that is installed, unless told) as administrator and return its output."""
        wanted = version or max(self.revisions.values(), default=ISTIO_VERSIONS[-1])
        done = subprocess.run(
            [str(binary("istioctl", _set(wanted))), *arguments],
            env=self._cluster.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SandboxError(f"istioctl {' '.join(arguments)} failed ({done.returncode}): {done.stdout}{done.stderr}".strip())
        return done.stdout

    # Its processes

    def stop(self, revision: str = DEFAULT) -> None:
        """End istiod, as if all its pods hung: its Service has endpoints, and nobody answers (a dead injector)."""
        process = self._process(revision)
        if process is not None:
            processes.stop([process], patience=1.0)  # it would wait for connections to end

    def start(self, revision: str = DEFAULT) -> None:
        """Start istiod of the revision, in the version of its Deployment, and wait until it injects; nothing happens when it runs."""
        if self.alive(revision):
            return
        deployment = self._cluster.api.get(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{component(revision)}")
        address = self._cluster.api.get(f"/api/v1/namespaces/{NAMESPACE}/services/{component(revision)}")["spec"]["clusterIP"]
        _check_port(address)
        version = _version(deployment)
        _check_version(version)
        pilot = binary("pilot-discovery", _set(version))
        arguments = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
        listening = [f"--{flag}={address}:{port}" for flag, port in _PORTS.items()]
        argv = [str(pilot), *arguments, f"--kubeconfig={kubeconfig_for(self._layout, ISTIOD)}", *listening]
        log = self._layout.log(component(revision))
        process = processes.start(argv, log, self._layout.pid_file(component(revision)), _environment(deployment, self._layout))
        self._wait(f"http://{address}:{_PORTS['httpAddr']}/ready", revision, process, log)
        if record := state.Record.load(self._cluster.directory):
            record.save()  # with the new pid

    def start_all(self) -> None:
        """Start istiod of every revision that is installed."""
        for revision in self.revisions:
            self.start(revision)

    def _forget(self, revision: str) -> None:
        self.stop(revision)
        self._layout.pid_file(component(revision)).unlink(missing_ok=True)

    def _wait(self, url: str, revision: str, process: processes.Process, log: Path) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while not (_answers(url) and self._trusted(revision)):
            if not process.alive or time.monotonic() > deadline:
                raise SandboxError(f"istiod of revision {revision} did not become ready. The end of its log:\n{processes.log_tail(log)}")
            time.sleep(0.05)

    def _trusted(self, revision: str) -> bool:
        """Whether istiod has put its CA into every webhook that leads to it."""
        found = self._cluster.api.get("/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations")["items"]
        ours = [webhook["clientConfig"] for item in found for webhook in item["webhooks"]]
        ours = [config for config in ours if config.get("service", {}).get("name") == component(revision)]
        return bool(ours) and all(config.get("caBundle") for config in ours)

    @property
    def _layout(self) -> Layout:
        return self._cluster.layout

    def _process(self, revision: str) -> processes.Process | None:
        return processes.Process.load(self._layout.pid_file(component(revision)))


def install(cluster: Cluster, options: Options, say: Callable[[str], None]) -> None:
    """Install the Istio that the options ask for."""
    cluster.istio.install(options.istio)
    say(f"Istio {options.istio} is installed in {NAMESPACE}")


def component(revision: str) -> str:
    """The name of the revision's Deployment, of its Service and of the process here."""
    return "istiod" if revision == DEFAULT else f"istiod-{revision}"


def revision_of(name: str) -> str:
    """The revision whose component is called ``name``."""
    return name.removeprefix("istiod").removeprefix("-") or DEFAULT


def _check_version(version: str) -> None:
    if version not in ISTIO_VERSIONS:
        raise SandboxError(f"Istio {version}: there is no such release here, only {', '.join(ISTIO_VERSIONS)}")


def _set(version: str) -> str:
    return f"istio-{version}"


def _version(deployment: Mapping[str, Any]) -> str:
    image: str = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    return image.rpartition(":")[2]


def _environment(deployment: Mapping[str, Any], layout: Layout) -> dict[str, str]:
    """The environment of the local istiod: what the Deployment sets in plain words, and for the pod's own data something like it."""
    plain = _plain_environment(deployment)
    plain.pop("KUBECONFIG", None)  # a path inside the pod
    own = {"POD_NAME": "istiod-local", "POD_NAMESPACE": NAMESPACE, "SERVICE_ACCOUNT": "istiod"}
    return {"HOME": str(layout.directory), "PATH": os.defpath, **plain, **own}


def _plain_environment(deployment: Mapping[str, Any]) -> dict[str, str]:
    entries = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    return {entry["name"]: entry["value"] for entry in entries if "value" in entry}


def _check_port(address: str) -> None:
    """Say what is missing before istiod says it in its own way."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, _PORTS["httpsAddr"]))
        except PermissionError as error:
            raise SandboxError(
                "Istio's webhooks lead to port 443, which this user may not listen on: "
                "be root, or set net.ipv4.ip_unprivileged_port_start to 443 or less"
            ) from error


def _answers(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, None, 2.0) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
