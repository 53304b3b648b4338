# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a namespace stays in Terminating; the conditions are an API server's own (Kubernetes 1.34)."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.field_managers import last_writer, owner_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.mesh import CustomResource
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_finalizers import held, sentence
from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.uninstall_namespace_conditions import (
    Blocker,
    Surroundings,
    blockers,
    fails_on_conversion,
    remaining,
    repairable,
)

CONVERSION = (
    "Failed to delete all resource types, 1 remaining: conversion webhook for config.openservicemesh.io/v1alpha1, Kind=MeshConfig failed: "
    'Post "https://osm-bootstrap.osm-system.svc:9443/convert/meshconfig?timeout=30s": service "osm-bootstrap" not found'
)
DISCOVERY = (
    "Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: "
    "metrics.example.com/v1: stale GroupVersion discovery: metrics.example.com/v1"
)
REMAINING = "Some resources are remaining: pods. has 2 resource instances, retries.policy.openservicemesh.io has 1 resource instances"
FINALIZERS = "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances"
DENIED = 'Failed to delete all resource types, 1 remaining: admission webhook "no.example.com" denied the request: nothing goes'
DEAD = (
    "Failed to delete all resource types, 1 remaining: Internal error occurred: "
    'failed calling webhook "no.example.com": failed to call webhook: service "no" not found'
)


def namespace(*finalizers: str, **messages: str) -> dict[str, Any]:
    """A namespace of which these conditions are true, by what follows ``Namespace`` in their types."""
    conditions = [{"type": f"Namespace{name}", "status": "True", "message": message} for name, message in messages.items()]
    conditions.append({"type": "NamespaceDeletionGroupVersionParsingFailure", "status": "False", "message": "all legacy kube types parsed"})
    metadata = {"name": "osm-system", "deletionTimestamp": "2026-01-02T03:04:05Z", "finalizers": [*finalizers]}
    return {"metadata": metadata, "status": {"phase": "Terminating", "conditions": conditions}}


def definition(name: str, service: tuple[str, str] = ("osm-system", "osm-bootstrap"), conversion: str = "Webhook") -> CustomResource:
    return CustomResource(name, ("v1alpha1",), "v1alpha1", conversion, service, {}, "uid", "7")


def object_of(kind: str, name: str, *finalizers: str, deleted: bool = True) -> dict[str, Any]:
    owned: dict[str, Any] = {f'v:"{finalizer}"': {} for finalizer in finalizers}
    fields = [{"manager": "operator", "time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:metadata": {"f:finalizers": {".": {}, **owned}}}}]
    metadata: dict[str, Any] = {"name": name, "namespace": "osm-system", "finalizers": [*finalizers], "managedFields": fields}
    if deleted:
        metadata["deletionTimestamp"] = "2026-01-02T03:04:05Z"
    return {"kind": kind, "metadata": metadata}


def test_a_conversion_webhook_that_does_not_answer() -> None:
    """openservicemesh/osm issue 4466."""
    stuck = namespace(DeletionContentFailure=CONVERSION, ContentRemaining=REMAINING)
    assert fails_on_conversion(stuck)
    around = Surroundings([definition("meshconfigs.config.openservicemesh.io"), definition("retries.policy.openservicemesh.io")])
    (found,) = blockers(stuck, around)
    assert found.cause == "conversion-webhook"
    assert found.message.startswith("objects of config.openservicemesh.io/v1alpha1, Kind=MeshConfig cannot be read to be deleted")
    assert found.message.endswith('service "osm-bootstrap" not found')
    assert "meshconfigs.config.openservicemesh.io (Service osm-system/osm-bootstrap)" in found.remedy
    assert "kubectl patch crd meshconfigs.config.openservicemesh.io" in found.remedy
    (blind,) = blockers(stuck, Surroundings())
    assert "config.openservicemesh.io/v1alpha1, Kind=MeshConfig answer" in blind.remedy


def test_a_cache_that_never_gets_ready_is_a_conversion_that_may_be_down() -> None:
    """From Kubernetes 1.34 on, before it says which webhook does not answer."""
    stuck = namespace(DeletionContentFailure="Failed to delete all resource types, 1 remaining: storage is (re)initializing")
    assert fails_on_conversion(stuck)
    (found,) = blockers(stuck, Surroundings([definition("meshconfigs.config.openservicemesh.io")]))
    assert "storage is (re)initializing" in found.message


def test_only_conversions_of_the_family_into_this_namespace_are_repaired() -> None:
    ours = definition("meshconfigs.config.openservicemesh.io")
    strangers = [
        definition("meshconfigs.config.openservicemesh.io", ("osm-two", "osm-bootstrap")),
        definition("multiclusterservices.config.openservicemesh.io", ("", ""), "None"),
        definition("widgets.example.com"),
    ]
    assert repairable([*strangers, ours], "osm-system") == [ours]
    labelled = ours._replace(name="new.flomesh.io", labels={"app.kubernetes.io/name": "flomesh.io"})
    assert repairable([labelled], "osm-system") == [labelled]


def test_an_aggregated_api_that_is_dead() -> None:
    """openservicemesh/osm issue 1880."""
    stuck = namespace(DeletionDiscoveryFailure=DISCOVERY)
    available = {"type": "Available", "status": "True"}
    missing = {"type": "Available", "status": "False", "reason": "ServiceNotFound", "message": "service/metrics in shop is not present"}
    services: list[dict[str, Any]] = [
        {"metadata": {"name": "v1.apps"}, "spec": {}, "status": {"conditions": [available]}},
        {
            "metadata": {"name": "v1.metrics.example.com"},
            "spec": {"service": {"namespace": "shop", "name": "metrics"}},
            "status": {"conditions": [missing]},
        },
    ]
    (found,) = blockers(stuck, Surroundings(api_services=services))
    assert found.cause == "api-service"
    assert found.message.startswith("APIService v1.metrics.example.com (Service shop/metrics) does not answer")
    assert found.message.endswith("service/metrics in shop is not present")
    assert "kubectl delete apiservice v1.metrics.example.com" in found.remedy
    (blind,) = blockers(stuck, Surroundings())
    assert "cannot tell what metrics.example.com/v1 has in this namespace" in blind.message


def test_objects_that_others_hold() -> None:
    stuck = namespace(ContentRemaining=REMAINING, FinalizersRemaining=FINALIZERS)
    assert remaining(stuck) == {"pods": 2, "retries.policy.openservicemesh.io": 1}
    one = held(object_of("Retry", "slow", "example.com/hold"))
    assert one is not None
    (found,) = blockers(stuck, Surroundings(held=[one]))
    assert found.message == "Retry osm-system/slow is held by example.com/hold (set by operator) since 2026-01-02T03:04:05Z"
    assert "the controller of example.com has to take it away" in found.remedy
    (blind,) = blockers(stuck, Surroundings())
    assert blind == Blocker("finalizers", FINALIZERS, blind.remedy)


@pytest.mark.parametrize(
    ("stuck", "cause", "words"),
    [
        (namespace(DeletionContentFailure=DENIED), "admission-webhook", "the admission webhook no.example.com refuses the deletions"),
        (namespace(DeletionContentFailure=DEAD), "admission-webhook", "the admission webhook no.example.com cannot be asked"),
        (namespace(DeletionContentFailure="etcd is full"), "deletion", "its content cannot be deleted: etcd is full"),
        (namespace(ContentRemaining=REMAINING), "content", "it still has 2 pods, 1 retries.policy.openservicemesh.io"),
        (namespace("example.com/ns"), "finalizers", "Namespace osm-system itself is held by example.com/ns"),
        (namespace(), "unobserved", "its controller has not said why"),
    ],
)
def test_other_reasons(stuck: dict[str, Any], cause: str, words: str) -> None:
    (found,) = blockers(stuck, Surroundings())
    assert found.cause == cause
    assert found.message.startswith(words)
    assert found.remedy
    assert not fails_on_conversion(stuck)


def test_several_reasons_are_all_told() -> None:
    stuck = namespace(DeletionContentFailure=CONVERSION, DeletionDiscoveryFailure=DISCOVERY, FinalizersRemaining=FINALIZERS)
    assert [found.cause for found in blockers(stuck, Surroundings())] == ["conversion-webhook", "api-service", "finalizers"]


def test_what_holds_an_object() -> None:
    assert held(object_of("Retry", "a", "example.com/hold", deleted=False)) is None
    assert held(object_of("Retry", "a")) is None
    known = held(object_of("Deployment", "a", "foregroundDeletion"))
    assert known is not None
    assert "garbage collector" in known.remedies[0]
    bare = held(object_of("Retry", "a", "hold"))
    assert bare is not None
    assert "the controller that knows hold" in bare.remedies[0]
    assert "kubectl edit retry -n osm-system a" in bare.remedies[0]


def test_who_wrote_last() -> None:
    item = object_of("Retry", "a")
    item["metadata"]["managedFields"].append({"manager": "flux", "time": "2026-01-03T00:00:00Z"})
    item["metadata"]["managedFields"].append({"manager": "kubelet", "time": "2026-01-04T00:00:00Z", "subresource": "status"})
    assert last_writer(item) == "flux"
    assert last_writer({"metadata": {}}) == ""
    item["metadata"]["managedFields"].append({"manager": "kubectl", "fieldsV1": {"f:spec": {"f:replicas": {}}}})
    assert owner_of(item, "spec", "replicas") == "kubectl"
    assert owner_of(item, "spec", "paused") == ""


def test_many_things_are_cut() -> None:
    assert sentence(f"x{number}" for number in range(7)) == "x0; x1; x2; x3; x4 and 2 more"
    assert sentence(["a", "a"]) == "a"
