# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which webhook is asked about a pod, by the configurations that a real Istio leaves in a cluster."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._istio.label_conflicts import conflicts
from ansible_collections.meshops.lifecycle.plugins.module_utils._istio.webhook_rules import asked, keys_of, selected, sidecar_webhooks
from ansible_collections.meshops.lifecycle.tests.unit.istio.raw_istio import BY_DEFAULT, CONFIGURATIONS, REVISIONS, namespace

Labels = dict[str, str]
KEYS = ("istio-injection", "istio.io/rev")
OWN_KEYS = ("sidecar.istio.io/inject", "istio.io/rev")


def revisions(place: Labels, own: Labels, webhooks: Any = tuple(REVISIONS)) -> list[str]:
    return [webhook.revision for webhook in asked(webhooks, place, own)]


@pytest.mark.parametrize(
    ("place", "own", "found"),
    [
        ({"istio-injection": "enabled"}, {}, ["default"]),
        ({"istio-injection": "enabled", "istio.io/rev": "1-31"}, {}, ["default"]),
        ({"istio-injection": "enabled"}, {"istio.io/rev": "1-31"}, ["default"]),
        ({"istio-injection": "enabled"}, {"sidecar.istio.io/inject": "false"}, []),
        ({"istio-injection": "enabled"}, {"sidecar.istio.io/inject": "nonsense"}, ["default"]),
        ({"istio-injection": "disabled"}, {"sidecar.istio.io/inject": "true"}, []),
        ({"istio-injection": "disabled", "istio.io/rev": "1-31"}, {"istio.io/rev": "1-31"}, []),
        ({"istio.io/rev": "1-31"}, {}, ["1-31"]),
        ({"istio.io/rev": "stable"}, {}, ["1-31"]),
        ({"istio.io/rev": "default"}, {}, ["default"]),
        ({"istio.io/rev": "1-31"}, {"istio.io/rev": "default"}, ["1-31"]),
        ({"istio.io/rev": "1-31"}, {"sidecar.istio.io/inject": "false"}, []),
        ({"istio.io/rev": "1-29"}, {"istio.io/rev": "1-31"}, []),
        ({}, {}, []),
        ({}, {"sidecar.istio.io/inject": "true"}, ["default"]),
        ({}, {"istio.io/rev": "1-31"}, ["1-31"]),
        ({}, {"istio.io/rev": "stable", "sidecar.istio.io/inject": "true"}, ["1-31"]),
        ({}, {"istio.io/rev": "1-31", "sidecar.istio.io/inject": "false"}, []),
    ],
)
def test_precedence(place: Labels, own: Labels, found: list[str]) -> None:
    assert revisions(place, own) == found


def test_everything_by_default() -> None:
    assert revisions({"kubernetes.io/metadata.name": "shop"}, {}, BY_DEFAULT) == ["default"]
    assert revisions({"kubernetes.io/metadata.name": "kube-system"}, {}, BY_DEFAULT) == []
    assert revisions({"istio-injection": "disabled"}, {}, BY_DEFAULT) == []
    assert revisions({}, {"sidecar.istio.io/inject": "false"}, BY_DEFAULT) == []


def test_what_istioctl_deactivated_is_never_asked() -> None:
    deactivated = [item for item in REVISIONS if item.hook.ref.name == "istio-sidecar-injector"]
    assert len(deactivated) == 4
    assert asked(deactivated, {"istio-injection": "enabled"}, {"istio.io/rev": "default"}) == []


LABELS = st.dictionaries(
    st.sampled_from([*KEYS, *OWN_KEYS]),
    st.sampled_from(["enabled", "disabled", "true", "false", "default", "1-31", "stable", "1-29"]),
)


@given(LABELS, LABELS)
def test_one_revision_at_most(place: Labels, own: Labels) -> None:
    assert len(revisions(place, own)) <= 1


@given(LABELS, LABELS)
def test_documented_precedence(place: Labels, own: Labels) -> None:
    """As istio.io tells it, for the revisions that exist."""
    exists = {"default": "default", "1-31": "1-31", "stable": "1-31"}
    if own.get("sidecar.istio.io/inject") == "false":
        expected = None
    elif "istio-injection" in place:
        expected = "default" if place["istio-injection"] == "enabled" else None
    elif "istio.io/rev" in place:
        expected = exists.get(place["istio.io/rev"])
    elif "istio.io/rev" in own:
        expected = exists.get(own["istio.io/rev"])
    else:
        expected = "default" if own.get("sidecar.istio.io/inject") == "true" else None
    assert revisions(place, own) == ([expected] if expected else [])


EXPRESSIONS = st.builds(
    lambda key, operator, values: {"key": key, "operator": operator, **({"values": values} if "In" in operator else {})},
    st.sampled_from("abc"),
    st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist"]),
    st.lists(st.sampled_from("xyz"), min_size=1, max_size=2),
)
SELECTORS = st.fixed_dictionaries(
    {},
    optional={
        "matchLabels": st.dictionaries(st.sampled_from("abc"), st.sampled_from("xyz"), max_size=2),
        "matchExpressions": st.lists(EXPRESSIONS, max_size=3),
    },
)
SOME = st.dictionaries(st.sampled_from("abcd"), st.sampled_from("xyz"))


@given(SELECTORS, SOME)
def test_selectors(selector: dict[str, Any], labels: Labels) -> None:
    found = selected(selector, labels)
    # Only the labels that it looks at count.
    assert found == selected(selector, {key: value for key, value in labels.items() if key in keys_of(selector)})
    # All of its requirements together.
    single: list[dict[str, Any]] = [{"matchLabels": {key: value}} for key, value in selector.get("matchLabels", {}).items()]
    single += [{"matchExpressions": [expression]} for expression in selector.get("matchExpressions", ())]
    assert found == all(selected(part, labels) for part in single)


@given(EXPRESSIONS, SOME)
def test_operators_and_their_opposites(expression: dict[str, Any], labels: Labels) -> None:
    opposite = {"In": "NotIn", "NotIn": "In", "Exists": "DoesNotExist", "DoesNotExist": "Exists"}
    other = {**expression, "operator": opposite[expression["operator"]]}
    assert selected({"matchExpressions": [expression]}, labels) is not selected({"matchExpressions": [other]}, labels)


def test_other_webhooks_do_not_count() -> None:
    found = CONFIGURATIONS["revision_and_tag"]
    stranger = {**found[0], "webhooks": [{**hook, "name": "policy.example.org"} for hook in found[0]["webhooks"]]}
    updates = {
        **found[0],
        "webhooks": [{**hook, "rules": [{"operations": ["UPDATE"], "resources": ["pods"]}]} for hook in found[0]["webhooks"]],
    }
    assert sidecar_webhooks([stranger, updates]) == []


def test_namespaces_with_both_labels() -> None:
    both = {"istio-injection": "enabled", "istio.io/rev": "1-31"}
    (found,) = conflicts([namespace("a", both), namespace("b", {"istio.io/rev": "1-31"}), namespace("c"), {"metadata": {"name": "d"}}])
    assert (found.code, found.object.name, found.severity) == ("both-istio-labels", "a", "warning")
    assert "istio-injection=enabled and istio.io/rev=1-31" in found.what
    (off,) = conflicts([namespace("a", {**both, "istio-injection": "disabled"})])
    assert "no webhook of a revision is asked" in off.why
