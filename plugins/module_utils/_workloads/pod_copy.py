# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The manifest from which a pod without controller is created again, and what would be lost by it. Pure."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.refresh import Object, SidecarRules

APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
# Admission plugin DefaultTolerationSeconds.
_DEFAULT_TOLERATIONS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_HOSTNAME = "kubernetes.io/hostname"
# The network gives them to one pod: calico libcalico-go/lib/backend/k8s/conversion/constants.go, ovn-kubernetes go-controller/pkg/util,
# multus (network-attachment-definition-client pkg/apis).
_OF_ONE_POD = (
    *("cni.projectcalico.org/podIP", "cni.projectcalico.org/podIPs", "cni.projectcalico.org/containerID"),
    *("k8s.ovn.org/pod-networks", "k8s.v1.cni.cncf.io/network-status", "k8s.v1.cni.cncf.io/networks-status"),
)
_HOOKS = ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle")


def copy_of(pod: Object, rules: SidecarRules) -> dict[str, Any]:
    """Return what to create when the raw ``pod`` is gone: the live pod, as it was changed since, without what was added to it.

    Its probes are those that its user applied, because injection may not have kept them, if the containers are still those that were
    applied. Raises LifecycleError for probes that are lost.
    """
    metadata = pod["metadata"]
    applied = _applied(pod)
    found = _cleaned(rules.strip(pod)) if applied is None else _with_applied(pod, applied, rules)
    own = found["metadata"]
    kept: dict[str, Any] = {"name": metadata["name"], "namespace": metadata["namespace"]}
    kept.update({part: dict(own[part]) for part in ("labels", "annotations") if own.get(part)})
    if applied is not None:
        # kubectl compares with it when the manifest is applied the next time.
        kept.setdefault("annotations", {})[APPLIED] = metadata["annotations"][APPLIED]
        if applied["spec"].get("nodeName"):
            # Its user has chosen the node, not the scheduler.
            found["spec"]["nodeName"] = applied["spec"]["nodeName"]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": kept, "spec": found["spec"]}


def _with_applied(pod: Object, applied: Object, rules: SidecarRules) -> dict[str, Any]:
    """Return the live pod as it was before injection, with the probes and lifecycle handlers of ``applied``: a pod's never change."""
    before = {container["name"]: container for container in _containers(applied["spec"])}
    bare = copy.deepcopy(dict(pod))
    for container in _containers(bare["spec"]):
        for hook in _HOOKS if container["name"] in before else ():
            container.pop(hook, None)
    found = _cleaned(rules.strip(bare))
    differs = "; ".join(_differences(found, before))
    if not differs:
        for container in _containers(found["spec"]):
            container.update({hook: before[container["name"]][hook] for hook in _HOOKS if hook in before.get(container["name"], {})})
        return found
    try:
        return _cleaned(rules.strip(pod))
    except LifecycleError as error:
        error.why = f"{error.why}; what was applied last cannot tell it, because {differs}"
        raise


def _containers(spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [container for part in ("initContainers", "containers") for container in spec.get(part) or ()]


def _differences(found: Object, before: Mapping[str, Object]) -> Iterator[str]:
    """Return where the containers are not those that were applied; one that a webhook has added has probes of its own."""
    images = {container["name"]: container.get("image") for container in _containers(found["spec"])}
    for name, container in before.items():
        if name not in images:
            yield f"the pod has no container {name}"
        elif images[name] != container.get("image"):
            yield f"container {name} runs {images[name]}, not {container.get('image')}"


def _applied(pod: Object) -> dict[str, Any] | None:
    """Return the manifest that kubectl applied last, when it is one of this pod."""
    metadata = pod["metadata"]
    try:
        found = json.loads((metadata.get("annotations") or {})[APPLIED])
        is_it = (found["kind"], found["metadata"]["name"]) == ("Pod", metadata["name"]) and bool(found["spec"]["containers"])
    except (KeyError, TypeError, ValueError):
        return None
    return found if is_it else None


def _cleaned(pod: Mapping[str, Any]) -> dict[str, Any]:
    """Return a live pod without what the API server, its admission plugins and the scheduler have written into it."""
    cleaned = copy.deepcopy(dict(pod))
    annotations = cleaned["metadata"].get("annotations")
    if annotations:
        for key in (APPLIED, *_OF_ONE_POD):
            annotations.pop(key, None)
    spec = cleaned["spec"]
    for key in ("nodeName", "serviceAccount", "ephemeralContainers"):
        spec.pop(key, None)
    if spec.get("priorityClassName"):
        spec.pop("priority", None)
        spec.pop("preemptionPolicy", None)
    if spec.get("runtimeClassName"):
        spec.pop("overhead", None)
    spec["tolerations"] = [item for item in spec.get("tolerations") or () if not _is_default(item)]
    _drop_token(spec)
    return {key: value for key, value in cleaned.items() if key != "status"}


def _is_default(toleration: Object) -> bool:
    return (
        toleration.get("key") in _DEFAULT_TOLERATIONS
        and toleration.get("operator") == "Exists"
        and toleration.get("effect") == "NoExecute"
        and toleration.get("tolerationSeconds") == 300
    )


def _drop_token(spec: dict[str, Any]) -> None:
    """Take out the service account's token (``kube-api-access-…``, before 1.21 a Secret): each new pod gets its own."""
    containers = _containers(spec)
    mounted = {
        mount["name"]
        for container in containers
        for mount in container.get("volumeMounts") or ()
        if mount.get("mountPath") == _TOKEN_PATH and not mount.get("subPath")
    }
    token = {volume["name"] for volume in spec.get("volumes") or () if volume["name"] in mounted and _is_token(volume, spec)}
    spec["volumes"] = [volume for volume in spec.get("volumes") or () if volume["name"] not in token]
    for container in containers:
        container["volumeMounts"] = [mount for mount in container.get("volumeMounts") or () if mount["name"] not in token]


def _is_token(volume: Object, spec: Object) -> bool:
    account = spec.get("serviceAccountName") or "default"
    return str(volume["name"]).startswith(("kube-api-access-", f"{account}-token-"))


def risks(pod: Object, manifest: Object) -> tuple[str, ...]:
    """Return what would be lost or go wrong if the raw ``pod`` were deleted and ``manifest`` created, in a few words each."""
    return tuple(_risks(pod["metadata"], pod.get("spec") or {}, manifest["spec"]))


def _risks(metadata: Object, live: Object, spec: Object) -> Iterator[str]:
    volumes = spec.get("volumes") or ()
    lost = sorted(volume["name"] for volume in volumes if "emptyDir" in volume or "ephemeral" in volume)
    if lost:
        yield f"the data in {'volume' if len(lost) == 1 else 'volumes'} {', '.join(lost)}"
    pinned = spec.get("nodeName") or _HOSTNAME in (spec.get("nodeSelector") or {})
    if not pinned and any("hostPath" in volume for volume in volumes):
        yield f"the files of node {live.get('nodeName') or '(none yet)'}, because another node may be chosen"
    if live.get("ephemeralContainers"):
        yield "debug containers"
    if live.get("restartPolicy") in ("Never", "OnFailure"):
        yield f"work that is done once (restartPolicy {live['restartPolicy']})"
    if metadata.get("generateName"):
        yield "its name was generated, so something may wait for this very pod"
    if metadata.get("ownerReferences"):
        owners = ", ".join(f"{owner.get('kind')} {owner.get('name')}" for owner in metadata["ownerReferences"])
        yield f"it belongs to {owners}"
    if metadata.get("finalizers"):
        yield f"finalizers hold it ({', '.join(metadata['finalizers'])})"
