# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is stored of an object, what is put aside, and what is in neither part."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.cleaning import (
    LAST_APPLIED,
    SNAPSHOT_URL_ANNOTATION,
    bare,
    cleaned,
    original,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import PRIOR_ANNOTATION

Object = dict[str, Any]
PROPERTY = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
SIGNATURE = "X-Amz-Credential=AKIA%2F20260101&X-Amz-Signature=00ff<>"
URL = f"https://bucket.s3.us-east-2.amazonaws.com/run/etcd.db?{SIGNATURE}"
BARE = "https://bucket.s3.us-east-2.amazonaws.com/run/etcd.db"
NEVER = {"uid", "resourceVersion", "ownerReferences", "finalizers", "managedFields", "creationTimestamp", "generation"}
NEVER |= {"deletionTimestamp", "deletionGracePeriodSeconds", "generateName", "selfLink"}

names = st.text("abcxyz-./", min_size=1, max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
annotation_keys = names | st.sampled_from([LAST_APPLIED, PRIOR_ANNOTATION, SNAPSHOT_URL_ANNOTATION, "openshift.io/sa.scc.mcs"])
described = st.fixed_dictionaries(
    {"name": names},
    optional={
        "namespace": names,
        "labels": st.dictionaries(names, names, max_size=3),
        "annotations": st.dictionaries(annotation_keys, st.sampled_from(["", "text", URL]), max_size=4),
        **dict.fromkeys(sorted(NEVER), values),
    },
)
storage = st.fixed_dictionaries(
    {"type": st.just("PersistentVolume")}, optional={"restoreSnapshotURL": st.lists(st.sampled_from([URL, BARE, "s3://b/k"]), max_size=2)}
)
specs = st.dictionaries(names, values, max_size=3) | st.builds(
    lambda more, stored: {**more, "etcd": {"managementType": "Managed", "managed": {"storage": stored}}},
    st.dictionaries(names, values, max_size=2),
    storage,
)
kinds = st.sampled_from(["HostedCluster", "HostedControlPlane", "NodePool", "Namespace", "Machine", "Secret"])
objects = st.fixed_dictionaries(
    {"apiVersion": st.just("v1"), "kind": kinds, "metadata": described},
    optional={"spec": specs, "status": values, "data": st.dictionaries(names, st.text(max_size=5), max_size=2), "type": names},
)


def redacted(item: Object) -> Object:
    """What both parts together have to be: all, but kubectl's copy and, where it is a hosted cluster's, every use of a signed URL."""
    expected = copy.deepcopy(item)
    expected["metadata"].get("annotations", {}).pop(LAST_APPLIED, None)
    if item["kind"] not in ("HostedCluster", "HostedControlPlane"):
        return expected
    told = item.get("spec", {}).get("etcd")
    urls = told["managed"]["storage"].get("restoreSnapshotURL", []) if isinstance(told, dict) and "managed" in told else []
    annotated = item["metadata"].get("annotations", {}).get(SNAPSHOT_URL_ANNOTATION)
    if URL not in [*urls, annotated]:
        return expected
    changed: Object = json.loads(json.dumps(expected).replace(json.dumps(URL)[1:-1], BARE))
    return changed


@PROPERTY
@given(objects)
def test_both_parts_together_are_the_object_but_for_credentials(item: Object) -> None:
    before = copy.deepcopy(item)
    kept, removed = cleaned(item)
    assert item == before
    assert original(kept, removed) == redacted(item)


@PROPERTY
@given(objects)
def test_nothing_of_the_server_is_kept(item: Object) -> None:
    """The written script cuts text from the line "status:" on, leaves resourceVersion (a create is rejected) and owners (the garbage
    collector deletes what it has restored), and drops every line with pausedUntil."""
    kept, _removed = cleaned(item)
    assert not NEVER & set(kept["metadata"])
    assert "status" not in kept
    assert LAST_APPLIED not in kept["metadata"].get("annotations", {})
    assert cleaned(kept)[0] == kept
    assert kept["metadata"]["name"] == item["metadata"]["name"]
    assert kept["metadata"].get("labels") == item["metadata"].get("labels")


def hosted_cluster(**more: Any) -> Object:
    metadata = {"name": "prod", "namespace": "clusters", "finalizers": ["hypershift.io/aws-oidc-discovery"], **more}
    spec = {"pausedUntil": "true", "etcd": {"managed": {"storage": {"type": "PersistentVolume", "restoreSnapshotURL": [URL]}}}}
    return {"apiVersion": "hypershift.openshift.io/v1beta1", "kind": "HostedCluster", "metadata": metadata, "spec": spec}


def test_the_url_of_an_earlier_restore_is_put_aside_without_its_signature() -> None:
    kept, removed = cleaned(hosted_cluster())
    assert kept["spec"]["etcd"]["managed"]["storage"] == {"type": "PersistentVolume"}
    assert removed["spec"]["etcd"]["managed"]["storage"] == {"restoreSnapshotURL": [BARE]}
    assert kept["spec"]["pausedUntil"] == "true"
    assert removed["metadata"]["finalizers"] == ["hypershift.io/aws-oidc-discovery"]


def test_the_signature_is_nowhere_else_either() -> None:
    """A list that is a set is spelled out in managedFields, as JSON that Go has escaped."""
    as_go = json.dumps(URL).replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    fields = [{"manager": "kubectl", "fieldsV1": {"f:spec": {"f:restoreSnapshotURL": {f"v:{as_go}": {}, f"v:{json.dumps(URL)}": {}}}}}]
    item = hosted_cluster(managedFields=fields, annotations={LAST_APPLIED: json.dumps(hosted_cluster())})
    item["status"] = {"conditions": [{"message": f"cannot get {URL}: 403"}]}
    text = json.dumps(cleaned(item))
    assert "Signature" not in text
    assert "AKIA" not in text
    assert f"cannot get {BARE}: 403" in text


def test_the_statefulset_of_an_etcd_that_is_being_restored_loses_the_signature() -> None:
    environment = [{"name": "RESTORE_URL_ETCD", "value": URL}, {"name": "OTHER", "value": "?kept"}]
    pod = {"initContainers": [{"name": "etcd-init", "env": environment}], "containers": [{"name": "etcd"}]}
    item = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "etcd"}, "spec": {"template": {"spec": pod}}}
    kept, _removed = cleaned(item)
    env = kept["spec"]["template"]["spec"]["initContainers"][0]["env"]
    assert env == [{"name": "RESTORE_URL_ETCD", "value": BARE}, {"name": "OTHER", "value": "?kept"}]


def test_what_is_allocated_for_a_namespace_is_put_aside() -> None:
    annotations = {"openshift.io/sa.scc.uid-range": "1000/1", "openshift.io/description": "mine"}
    kept, removed = cleaned({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x", "annotations": annotations}})
    assert kept["metadata"]["annotations"] == {"openshift.io/description": "mine"}
    assert removed["metadata"]["annotations"] == {"openshift.io/sa.scc.uid-range": "1000/1"}


def test_annotations_of_hypershift_and_the_pause_of_machines_are_kept() -> None:
    annotations = {
        "hypershift.openshift.io/nodePoolCurrentConfig": "a",
        "cluster.x-k8s.io/paused": "true",
        "cluster.x-k8s.io/managed-by": "external",
    }
    item = {"apiVersion": "v1", "kind": "NodePool", "metadata": {"name": "x", "annotations": {**annotations, LAST_APPLIED: "{}"}}}
    assert cleaned(item) == ({**item, "metadata": {"name": "x", "annotations": annotations}}, {})


def test_a_url_is_bare_without_query_fragment_and_user() -> None:
    assert bare(URL) == BARE
    assert bare("https://user:pass@host/key#part") == "https://host/key"
    assert bare("s3://bucket/key") == "s3://bucket/key"
    assert bare("text?x") == "text"
