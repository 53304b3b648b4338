# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What to do about a trouble: which value, which command. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.crash_log import Clue
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.quantity import cpu_text, memory_text
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.requests import Amount
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.trouble import Advice

_QUOTA = re.compile(r"exceeded quota: (?P<name>[^,\s]+)")
_ACCOUNT = re.compile(r'serviceaccount "(?P<name>[^"]+)" not found')
_WEBHOOK = re.compile(r'(?:failed calling|admission) webhook "(?P<name>[^"]+)"')
_PRIORITY = re.compile(r"no PriorityClass with name (?P<name>\S+) was found")
_PVC = re.compile(r'persistentvolumeclaim "(?P<name>[^"]+)" not found')


def of_crash(clue: Clue | None, pod: ObjectRef, container: str, advice: Advice) -> str:
    """Return what to do about a container that ends again and again."""
    logs = f"kubectl logs -n {pod.namespace} {pod.name} -c {container} --previous"
    if clue is None:
        return f"read its log: {logs}"
    subject = clue.subject
    if clue.cause == "cli-mismatch":
        return (
            f"the chart passes parameters that this image does not know, or leaves out one that it wants: image and chart are of different "
            f"versions; take {advice.images} out of the values so that the chart's own images are used, or set them to the chart's version"
        )
    if clue.cause == "crd-without-labels":
        name = subject.get("crd", "")
        label = "app.kubernetes.io/name=flomesh.io" if name.endswith(".flomesh.io") else advice.crd_label
        found = "" if name else "find it (kubectl get crd --show-labels: the one of this product with <none>), then: "
        return f"the program cannot take a CRD without labels: {found}kubectl label crd {name or 'NAME'} {label}"
    if clue.cause == "crd-stored-version":
        return (
            f"this version of the program does not know {subject['version']} of {subject['crd']}, in which objects were stored: stay with "
            f"the newer version, or write all objects anew in a version that stays and then take it out of the list: kubectl patch crd "
            f'{subject["crd"]} --subresource status --type json -p \'[{{"op":"remove","path":"/status/storedVersions/{subject["at"]}"}}]\''
        )
    if clue.cause == "object-refused":
        return _set_field(subject, pod.namespace)
    if clue.cause == "certificate-failed":
        return (
            "check the certificate provider: certificateProvider, vault and certmanager in the chart values, the Secret with the CA, and "
            "that Vault or cert-manager answers"
        )
    if clue.cause == "initialization-failed":
        return f"the line names what is missing or cannot be reached (a CRD of another version, a permission, a Secret); all of it: {logs}"
    return f"the line tells why; all of it: {logs}"


def _set_field(subject: Mapping[str, str], namespace: str) -> str:
    supported = re.findall(r'"([^"]+)"', subject.get("supported", ""))
    value = supported[0] if supported else "VALUE"
    patch: object = value
    for key in reversed(subject["path"].split(".")):
        patch = {key: patch}
    allowed = f" ({', '.join(supported)})" if supported else ""
    # kubectl finds a type by its singular name and group.
    kind, name = (subject.get("kind") or "meshconfig").lower(), subject.get("name") or "NAME"
    if "[" in subject["path"]:
        return f"give {subject['path']} of {kind} {name} one of the values that its definition allows{allowed}"
    text = json.dumps(patch, separators=(",", ":"))
    return (
        f"give the field a value that its definition allows{allowed}: kubectl patch {kind} {name} -n {namespace} --type merge -p '{text}'"
    )


def of_creation(message: str, workload: ObjectRef) -> str:
    """Return what to do when pods are refused; ``message`` is that of the condition ReplicaFailure or of an Event FailedCreate."""
    namespace = workload.namespace
    if match := _QUOTA.search(message):
        return f"raise the quota or free some of it: kubectl describe resourcequota -n {namespace} {match['name']}"
    if "violates PodSecurity" in message:
        return (
            f"let namespace {namespace} run such pods: "
            f"kubectl label namespace {namespace} --overwrite pod-security.kubernetes.io/enforce=privileged"
        )
    if match := _WEBHOOK.search(message):
        if "failed calling" in message:
            return (
                f"the webhook {match['name']} does not answer: look at the pods behind its service, "
                "or at its failurePolicy and namespaceSelector"
            )
        return f"the webhook {match['name']} refuses the pods: change its rule, or what it complains about in the chart values"
    if "ValidatingAdmissionPolicy" in message:
        return "change the admission policy, or what it complains about in the chart values"
    if match := _ACCOUNT.search(message):
        return (
            f"the chart's ServiceAccount is missing: let Helm write it again, or "
            f"kubectl create serviceaccount -n {namespace} {match['name']}"
        )
    if match := _PRIORITY.search(message):
        return f"make the PriorityClass {match['name']}, or name another one in the chart values"
    if "per Container" in message or "per Pod" in message:
        return (
            f"the namespace limits the size of pods (kubectl describe limitrange -n {namespace}): "
            "change the limit, or the resources in the chart values"
        )
    return f"the message says who refuses the pods; kubectl describe replicaset -n {namespace} has the Events"


def of_image(message: str, image: str, reason: str, namespace: str, key: str) -> str:
    """Return what to do about an image that cannot be had; ``key`` are the chart values that name it."""
    text = message.lower()
    if reason == "InvalidImageName":
        return f"correct {key}: {image!r} is no name of an image"
    if reason == "ErrImageNeverPull":
        return f"load {image} onto the nodes, or set imagePullPolicy to IfNotPresent in the chart values"
    if any(word in text for word in ("unauthorized", "denied", "authentication", "credentials")):
        return (
            f"give the pods a pull secret for {image} (imagePullSecrets in the chart values; the Secret must be in namespace {namespace})"
        )
    if any(word in text for word in ("no match for platform", "no matching manifest")):
        return f"{image} has no variant for the nodes' architecture: choose another one with {key}, or other nodes"
    if any(word in text for word in ("not found", "manifest unknown", "does not exist")):
        return f"there is no {image}: correct {key}"
    if any(word in text for word in ("timeout", "no such host", "refused", "x509", "tls", "unreachable", "toomanyrequests", "429")):
        return (
            f"the nodes do not reach the registry of {image} (name, proxy, certificate, rate limit): correct {key}, or the nodes' way to it"
        )
    return f"check {key}, the pull secret, and the nodes' way to the registry"


def of_scheduling(message: str, component: str, need: Amount, advice: Advice) -> str:
    """Return what to do about a pod that no node takes; ``message`` is the scheduler's, ``need`` what the pod asks for."""
    wanted = [("cpu", cpu_text(need.cpu)), ("memory", memory_text(need.memory))]
    lacking = [(name, now) for name, now in wanted if f"Insufficient {name}" in message]
    if lacking:
        key = advice.requests_of.get(component, "")
        values = [f"{key}.{name} (now {now})" if key else f"the {name} request (now {now}) in the chart values" for name, now in lacking]
        return f"make room on the nodes or add one (kubectl describe nodes shows what is left), or lower {' and '.join(values)}"
    for words, remedy in (
        ("Too many pods", "the nodes run as many pods as they may: add a node"),
        ("untolerated taint", "tolerate the taint (tolerations in the chart values) or take it off: kubectl describe nodes"),
        ("node affinity/selector", "label a node as nodeSelector and affinity in the chart values want it, or change these"),
        ("were unschedulable", "uncordon a node: kubectl uncordon NODE"),
        ("anti-affinity", "add a node, or relax podAntiAffinity in the chart values"),
        ("topology spread", "add a node in the zone that lacks pods, or relax the topology spread constraints"),
        ("volume node affinity", "the pod's volume is in another zone than the nodes with room: add a node there"),
        ("PersistentVolumeClaim", "bind the claim: kubectl get pvc -A shows which one waits, its Events why"),
        ("free ports", "another pod holds the host port: add a node"),
    ):
        if words in message:
            return remedy
    if match := _PVC.search(message):
        return f"the claim {match['name']} does not exist: make it"
    return "the scheduler's message says what the nodes lack: kubectl describe nodes"
