# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a rollout does not go on: every symptom with its cause, what is told of it, and what to do."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.diagnosis import hopeless, newest_hashes, troubles
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.trouble import Trouble
from ansible_collections.meshops.lifecycle.tests.unit.workloads.test_crash_log import CLI, ENUM, PANIC, PATCHING, STORED
from ansible_collections.meshops.lifecycle.tests.unit.workloads.troubled_pods import (
    ADVICE,
    NAMESPACE,
    crashing,
    deployment,
    event,
    initializing,
    log_line,
    pod,
    replica_set,
    running,
    unscheduled,
    waiting,
)

Object = dict[str, Any]
NO_CPU = (
    "0/3 nodes are available: 3 Insufficient cpu. no new claims to deallocate, "
    "preemption: 0/3 nodes are available: 3 No preemption victims found."
)


def diagnose(item: Object, *events: Object, log: str = "") -> Trouble:
    """The one trouble of one pod."""
    name = item["metadata"]["name"]
    container = item["spec"]["containers"][0]["name"]
    (found,) = troubles([], [item], events, {(name, container): log} if log else {}, advice=ADVICE)
    return found


# Scheduling


@pytest.mark.parametrize(
    ("message", "cause", "remedy"),
    [
        (NO_CPU, "insufficient-cpu", "lower osm.injector.resource.requests.cpu (now 300m)"),
        (
            "0/1 nodes are available: 1 Insufficient memory.",
            "insufficient-memory",
            "lower osm.injector.resource.requests.memory (now 64Mi)",
        ),
        (
            "0/2 nodes are available: 1 Insufficient cpu, 1 Insufficient memory.",
            "insufficient-cpu",
            "requests.cpu (now 300m) and osm.injector.resource.requests.memory (now 64Mi)",
        ),
        ("0/1 nodes are available: 1 Too many pods.", "unschedulable", "add a node"),
        ("0/1 nodes are available: 1 node(s) had untolerated taint {x: y}.", "unschedulable", "tolerations"),
        ("0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.", "unschedulable", "label a node"),
        ("0/1 nodes are available: 1 node(s) were unschedulable.", "unschedulable", "kubectl uncordon"),
        ("0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules.", "unschedulable", "podAntiAffinity"),
        ("0/1 nodes are available: 1 node(s) didn't match pod topology spread constraints.", "unschedulable", "topology spread"),
        ("0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.", "unschedulable", "kubectl get pvc"),
        ("0/1 nodes are available: 1 node(s) had volume node affinity conflict.", "unschedulable", "another zone"),
        ("0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.", "unschedulable", "host port"),
        ("no nodes available to schedule pods", "unschedulable", "kubectl describe nodes"),
    ],
)
def test_no_node_takes_the_pod(message: str, cause: str, remedy: str) -> None:
    found = diagnose(unscheduled("osm-injector", message))
    assert (found.cause, found.hopeless) == (cause, False)
    assert remedy in found.remedy
    assert found.message.startswith("Unschedulable: ")


def test_what_the_scheduler_tried_besides_is_left_out() -> None:
    found = diagnose(unscheduled("osm-injector", NO_CPU))
    assert found.message == "Unschedulable: 0/3 nodes are available: 3 Insufficient cpu"
    assert found.brief == "osm-injector: Unschedulable: 0/3 nodes are available: 3 Insufficient cpu"


def test_the_event_has_the_message_when_the_condition_has_none() -> None:
    found = diagnose(unscheduled("osm-injector", ""), event("osm-injector-1", "FailedScheduling", NO_CPU))
    assert found.cause == "insufficient-cpu"


def test_a_component_whose_value_is_not_known() -> None:
    assert "the cpu request (now 300m) in the chart values" in diagnose(unscheduled("my-addon", NO_CPU)).remedy


def test_a_scheduling_gate() -> None:
    assert "scheduling gate" in diagnose(unscheduled("osm-injector", "", "SchedulingGated")).remedy


def test_no_scheduler_runs() -> None:
    item = pod("osm-injector", conditions=[])
    del item["spec"]["nodeName"]
    assert diagnose(item).message == "no scheduler has looked at it"


# Images


@pytest.mark.parametrize(
    ("reason", "message", "remedy"),
    [
        ("ErrImagePull", 'rpc error: failed to resolve reference "x:1": not found', "there is no x:1: correct osm.image.registry"),
        ("ErrImagePull", "pull access denied, insufficient_scope: authorization failed", "pull secret for x:1"),
        ("ErrImagePull", "dial tcp: lookup registry: no such host", "do not reach the registry"),
        ("ErrImagePull", "toomanyrequests: rate limit", "rate limit"),
        ("ErrImagePull", "no match for platform in manifest", "architecture"),
        ("ImagePullBackOff", 'Back-off pulling image "x:1"', "check osm.image.registry and osm.image.tag"),
        ("ErrImageNeverPull", "Container image is not present with pull policy of Never", "IfNotPresent"),
        ("InvalidImageName", "couldn't parse image reference", "'x:1' is no name of an image"),
    ],
)
def test_an_image_that_cannot_be_had(reason: str, message: str, remedy: str) -> None:
    found = diagnose(waiting("osm-controller", reason, message, image="x:1"))
    assert found.cause == "image-pull"
    assert "x:1" in found.message
    assert reason in found.message
    assert remedy in found.remedy
    assert found.hopeless is (reason == "InvalidImageName")


def test_the_event_of_the_attempt_says_why_an_image_is_not_pulled() -> None:
    failed = event("osm-controller-1", "Failed", 'Failed to pull image "x:1": not found', at=1)
    other = event("osm-controller-1", "Failed", "Error: ImagePullBackOff", at=0)
    found = diagnose(waiting("osm-controller", "ImagePullBackOff", "Back-off", image="x:1"), failed, other)
    assert "there is no x:1" in found.remedy


def test_an_image_of_a_third_party_has_its_own_value() -> None:
    assert "osm.prometheus.image" in diagnose(waiting("osm-prometheus", "ErrImagePull", "not found")).remedy


# Crashes


def test_parameters_of_another_version() -> None:
    found = diagnose(crashing("osm-controller"), log=CLI)
    assert (found.cause, found.hopeless) == ("cli-mismatch", True)
    assert "Please specify the mesh name using --mesh-name" in found.message
    assert "exit code 1 (restarts: 3)" in found.message
    assert "osm.image.registry and osm.image.tag" in found.remedy


def test_one_crash_is_not_hopeless_yet() -> None:
    assert not diagnose(crashing("osm-controller", restarts=1), log=CLI).hopeless
    assert diagnose(crashing("osm-controller", restarts=2), log=CLI).hopeless


def test_the_event_tells_when_the_log_may_not_be_read() -> None:
    told = event("osm-injector-1", "FatalInvalidCLIParameters", "Error validating CLI parameters: Please specify …")
    found = diagnose(crashing("osm-injector"), told)
    assert (found.cause, found.hopeless) == ("cli-mismatch", True)
    assert "FatalInvalidCLIParameters: Error validating CLI parameters" in found.message


def test_an_event_about_an_earlier_pod_of_that_name_tells_nothing() -> None:
    told = event("osm-injector-1", "FatalInvalidCLIParameters", "…", uid="uid-of-another")
    assert diagnose(crashing("osm-injector"), told).cause == "crash-loop"


def test_the_termination_message_is_read_too() -> None:
    """terminationMessagePolicy FallbackToLogsOnError puts the end of the log there."""
    item = crashing("osm-controller")
    item["status"]["containerStatuses"][0]["lastState"]["terminated"]["message"] = CLI
    assert diagnose(item).cause == "cli-mismatch"


def test_a_definition_without_labels() -> None:
    log = "\n".join([log_line(PATCHING.format("tcproutes.specs.smi-spec.io"), level="info"), PANIC])
    found = diagnose(crashing("osm-bootstrap", code=2), log=log)
    assert (found.cause, found.hopeless) == ("crd-without-labels", True)
    assert "at CRD tcproutes.specs.smi-spec.io, which has no labels" in found.message
    assert "kubectl label crd tcproutes.specs.smi-spec.io app.kubernetes.io/name=openservicemesh.io" in found.remedy


def test_a_definition_without_labels_of_the_flomesh_group() -> None:
    log = "\n".join([log_line(PATCHING.format("serviceexports.flomesh.io"), level="info"), PANIC])
    assert (
        "kubectl label crd serviceexports.flomesh.io app.kubernetes.io/name=flomesh.io"
        in diagnose(crashing("osm-bootstrap"), log=log).remedy
    )


def test_a_stored_version() -> None:
    found = diagnose(crashing("osm-bootstrap"), log=log_line("Error updating …", STORED))
    assert (found.cause, found.hopeless) == ("crd-stored-version", True)
    assert "/status/storedVersions/1" in found.remedy
    assert "kubectl patch crd trafficsplits.split.smi-spec.io --subresource status" in found.remedy


def test_an_interception_mode_that_is_not_there() -> None:
    """1.1 directly to 1.3: bootstrap writes the MeshConfig back with Go's zero values."""
    found = diagnose(crashing("osm-bootstrap"), log=log_line("Error setting up default MeshConfig", ENUM))
    assert (found.cause, found.hopeless) == ("object-refused", True)
    assert found.remedy == (
        "give the field a value that its definition allows (iptables, ebpf, none): kubectl patch meshconfig.config.openservicemesh.io "
        'osm-mesh-config -n osm-system --type merge -p \'{"spec":{"traffic":{"interceptionMode":"iptables"}}}\''
    )


@pytest.mark.parametrize(
    ("reason", "cause", "remedy"),
    [
        ("FatalInitializationError", "initialization-failed", "a CRD of another version"),
        ("FatalInvalidCertificateManager", "certificate-failed", "certificate provider"),
        ("FatalCertificateIssuanceFailure", "certificate-failed", "certificate provider"),
    ],
)
def test_fatal_reasons_that_may_end_by_themselves(reason: str, cause: str, remedy: str) -> None:
    found = diagnose(crashing("osm-controller", restarts=9), log=log_line("Error", "x", reason=reason))
    assert (found.cause, found.hopeless) == (cause, False)
    assert remedy in found.remedy


def test_a_crash_without_a_log() -> None:
    found = diagnose(crashing("osm-controller", code=137))
    assert (found.cause, found.message) == ("crash-loop", "container osm-controller ends with exit code 137 (restarts: 3)")
    assert found.remedy == "read its log: kubectl logs -n osm-system osm-controller-1 -c osm-controller --previous"


def test_too_little_memory() -> None:
    item = crashing("osm-controller", code=137)
    item["status"]["containerStatuses"][0]["lastState"]["terminated"]["reason"] = "OOMKilled"
    found = diagnose(item)
    assert "OOMKilled" in found.message
    assert "raise osm.osmController.resource.limits.memory" in found.remedy


def test_a_container_that_has_ended_and_is_about_to_start_again() -> None:
    ended = {"name": "osm-controller", "ready": False, "restartCount": 1, "state": {"terminated": {"exitCode": 1}}}
    assert diagnose(pod("osm-controller", containerStatuses=[ended])).cause == "crash-loop"


def test_a_container_that_ended_once_and_is_ready_is_none() -> None:
    item = running("osm-controller", ready=True)
    item["status"]["containerStatuses"][0]["lastState"] = {"terminated": {"exitCode": 1}}
    assert troubles([], [item], advice=ADVICE) == []


# Starting and probes


def test_a_secret_that_a_container_wants() -> None:
    found = diagnose(waiting("osm-controller", "CreateContainerConfigError", 'secret "osm-ca-bundle" not found'))
    assert (found.cause, 'secret "osm-ca-bundle" not found' in found.message) == ("container-start", True)


def test_a_volume_that_is_not_there() -> None:
    item = waiting("osm-controller", "ContainerCreating")
    found = diagnose(item, event("osm-controller-1", "FailedMount", 'MountVolume.SetUp failed: configmap "x" not found'))
    assert (found.cause, found.message) == ("container-start", 'FailedMount: MountVolume.SetUp failed: configmap "x" not found')


def test_a_mount_that_failed_before_the_container_ran_is_over() -> None:
    assert diagnose(running("osm-controller"), event("osm-controller-1", "FailedMount", "x")).cause == "not-ready"


def test_a_probe_fails() -> None:
    found = diagnose(
        running("osm-controller"), event("osm-controller-1", "Unhealthy", "Readiness probe failed: HTTP probe failed with 503")
    )
    assert (found.cause, found.message) == (
        "probe-failing",
        "not ready: osm-controller: Readiness probe failed: HTTP probe failed with 503",
    )
    assert "kubectl logs -n osm-system osm-controller-1 -c osm-controller" in found.remedy


def test_slow_and_nothing_else() -> None:
    assert diagnose(running("osm-controller")).message == "not ready: osm-controller"


def test_a_pod_that_has_ended() -> None:
    item = pod("osm-controller", phase="Failed", reason="Evicted", message="The node was low on resource: memory")
    assert diagnose(item).message == "it has ended: Evicted: The node was low on resource: memory"


def test_a_pod_that_cannot_go() -> None:
    item = running("osm-controller")
    item["metadata"] |= {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["example.com/keep"]}
    found = diagnose(item)
    assert (found.cause, "held by example.com/keep" in found.message) == ("terminating", True)


def test_pods_that_are_well_going_or_done() -> None:
    going = running("a")
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert troubles([], [running("osm-controller", ready=True), going, pod("job", phase="Succeeded")], advice=ADVICE) == []


# Workloads


def failure(message: str) -> Object:
    return deployment("osm-controller", ReplicaFailure={"status": "True", "reason": "FailedCreate", "message": message})


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        ('pods "x" is forbidden: exceeded quota: small, requested: cpu=1', "kubectl describe resourcequota -n osm-system small"),
        ('pods "x" is forbidden: violates PodSecurity "restricted:latest": privileged', "pod-security.kubernetes.io/enforce=privileged"),
        ('Internal error occurred: failed calling webhook "x.k8s.io": connection refused', "the webhook x.k8s.io does not answer"),
        ('admission webhook "x.k8s.io" denied the request: no', "the webhook x.k8s.io refuses the pods"),
        ("ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no", "change the admission policy"),
        (
            'pods "x" is forbidden: error looking up service account a/osm: serviceaccount "osm" not found',
            "create serviceaccount -n osm-system osm",
        ),
        ('pods "x" is forbidden: no PriorityClass with name none was found', "make the PriorityClass none"),
        ('pods "x" is forbidden: maximum cpu usage per Container is 100m, but limit is 1', "kubectl describe limitrange"),
        ("something else", "kubectl describe replicaset -n osm-system"),
    ],
)
def test_pods_that_are_refused(message: str, remedy: str) -> None:
    (found,) = troubles([failure(message)], [], advice=ADVICE)
    assert (found.cause, str(found.object)) == ("pod-creation", "Deployment osm-system/osm-controller")
    assert message in found.message
    assert remedy in found.remedy


def test_refused_pods_of_a_daemon_set_are_told_by_an_event() -> None:
    old = event("osm-interceptor", "FailedCreate", "exceeded quota: old", kind="DaemonSet", at=0)
    new = event("osm-interceptor", "FailedCreate", "exceeded quota: new", kind="DaemonSet", at=5)
    (found,) = troubles([], [], [new, old], advice=ADVICE)
    assert (str(found.object), "quota: new" in found.message) == ("DaemonSet osm-system/osm-interceptor", True)


def test_the_progress_deadline_comes_last() -> None:
    stalled = deployment("osm-injector", Progressing={"status": "False", "reason": "ProgressDeadlineExceeded"})
    found = troubles([stalled], [unscheduled("osm-injector", NO_CPU)], advice=ADVICE)
    assert [item.cause for item in found] == ["insufficient-cpu", "progress-deadline"]


def test_a_paused_deployment() -> None:
    (found,) = troubles([deployment("osm-injector", paused=True)], [], advice=ADVICE)
    assert (found.cause, "kubectl rollout resume -n osm-system deployment/osm-injector" in found.remedy) == ("paused", True)


# Causes first


def test_who_waits_for_bootstrap_follows_it_in_one_line() -> None:
    pods = [initializing("osm-controller"), initializing("osm-injector"), initializing("osm-injector", 2), crashing("osm-bootstrap")]
    root, followers = troubles([], pods, logs={("osm-bootstrap-1", "osm-bootstrap"): CLI}, advice=ADVICE)
    assert (root.component, root.cause) == ("osm-bootstrap", "cli-mismatch")
    assert (followers.cause, followers.message) == (
        "waits-for-bootstrap",
        "osm-controller-1, osm-injector-1, osm-injector-2 wait for osm-bootstrap, which is not ready",
    )
    assert "repair osm-bootstrap first" in followers.remedy


def test_many_followers_are_counted() -> None:
    pods = [unscheduled("osm-bootstrap", NO_CPU), *(initializing("osm-injector", number) for number in range(1, 6))]
    assert troubles([], pods, advice=ADVICE)[1].message.startswith("osm-injector-1, osm-injector-2, osm-injector-3 and 2 more wait")


def test_bootstrap_looks_well_and_they_wait_all_the_same() -> None:
    (found,) = troubles([], [initializing("osm-controller"), running("osm-bootstrap", ready=True)], advice=ADVICE)
    assert found.message == "init container init-osm-controller waits for osm-bootstrap to answer"
    assert "kubectl logs -n osm-system deployment/osm-bootstrap" in found.remedy


def test_bootstraps_own_init_container_is_no_follower() -> None:
    """osm-edge 1.1 applies the CRDs in one."""
    assert diagnose(initializing("osm-bootstrap", container="init-osm-bootstrap")).cause == "init"


def test_an_init_container_that_crashes() -> None:
    item = initializing("osm-controller")
    init = item["status"]["initContainerStatuses"][0]
    init.update(state={"waiting": {"reason": "CrashLoopBackOff"}}, lastState={"terminated": {"exitCode": 7}}, restartCount=4)
    found = diagnose(item)
    assert (found.cause, "container init-osm-controller ends with exit code 7" in found.message) == ("crash-loop", True)


def test_bootstrap_whose_pods_are_refused_is_the_root_too() -> None:
    refused = deployment("osm-bootstrap", ReplicaFailure={"status": "True", "message": "exceeded quota: small"})
    found = troubles([refused], [initializing("osm-controller")], advice=ADVICE)
    assert [item.cause for item in found] == ["pod-creation", "waits-for-bootstrap"]


# Old and new pods


def test_pods_of_an_earlier_revision_are_told_last_and_are_not_hopeless() -> None:
    """Values were corrected and the command run again: the pods of the wrong ones stay until the new ones are ready."""
    old = crashing("osm-controller", template="aaa")
    new = crashing("osm-injector", template="bbb")
    logs = {("osm-controller-1", "osm-controller"): CLI, ("osm-injector-1", "osm-injector"): CLI}
    found = troubles([], [old, new], logs=logs, advice=ADVICE, newest={"bbb"})
    assert [(item.component, item.old) for item in found] == [("osm-injector", False), ("osm-controller", True)]
    assert hopeless(found) == [found[0]]
    assert "goes when the new pods are ready" in found[1].message


def test_an_old_bootstrap_pod_is_not_what_others_wait_for() -> None:
    found = troubles([], [crashing("osm-bootstrap", template="aaa"), initializing("osm-controller")], advice=ADVICE, newest={"bbb"})
    assert [item.message.partition(" ")[0] for item in found] == ["init", "container"]


def test_which_revision_is_the_newest() -> None:
    sets = [replica_set("osm-controller", "aaa", "1"), replica_set("osm-controller", "bbb", "2"), replica_set("other", "ccc", "2")]
    orphan = replica_set("osm-controller", "ddd", "2")
    del orphan["metadata"]["ownerReferences"]
    assert newest_hashes([deployment("osm-controller")], [*sets, orphan]) == {"bbb"}


def test_a_change_that_the_controller_has_not_seen_has_no_newest_revision() -> None:
    assert newest_hashes([deployment("osm-controller", observed=1)], [replica_set("osm-controller", "bbb", "2")]) == frozenset()


def test_the_public_form() -> None:
    found = diagnose(crashing("osm-controller"))
    assert found.as_dict() == {
        "object": {"kind": "Pod", "namespace": NAMESPACE, "name": "osm-controller-1"},
        "cause": "crash-loop",
        "message": "container osm-controller ends with exit code 1 (restarts: 3)",
        "remedy": "read its log: kubectl logs -n osm-system osm-controller-1 -c osm-controller --previous",
    }


def test_a_line_of_progress_is_short() -> None:
    found = diagnose(unscheduled("osm-injector", "x" * 500))
    assert len(found.brief) == 160
    assert found.brief.endswith("…")


@pytest.mark.parametrize(
    "item",
    [
        crashing("osm-controller"),
        waiting("osm-controller", "ErrImagePull", "text of others"),
        waiting("osm-controller", "CreateContainerConfigError", "text of others"),
        running("osm-controller"),
        waiting("osm-controller", "ContainerCreating"),
    ],
)
def test_progress_carries_no_text_of_others(item: Object) -> None:
    """Logs and the answers of registries and webhooks may hold anything."""
    texts = ["text of others", log_line("text of others")]
    reason = "Unhealthy" if item["status"]["phase"] == "Running" else "FailedMount"
    found = diagnose(item, event("osm-controller-1", reason, texts[0]), log=texts[1])
    assert "text of others" in found.message
    assert "text of others" not in found.brief


def test_progress_about_refused_pods() -> None:
    (found,) = troubles([failure("admission webhook denied the request: text of others")], [], advice=ADVICE)
    assert found.brief == "osm-controller: pods cannot be created"
