# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is written as YAML is read as the same by PyYAML, whatever it is."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.set_yaml import to_yaml

# Kubernetes has no lone surrogates: its texts are UTF-8.
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
WORDS = ["", "yes", "NO", "null", "~", "12:30", "2026-11-21", "1e3", "0x1f", "<<", "=", "---", "'", '"', "a\\b", "|", ">"]
MARKS = ["- a", "a: b", "a:", "a #b", "#a", "*a", "&a", "!a", "%a", "@a", "`a", "? a", "a\nb\n", "\ttab", " a "]
CHARACTERS = ["é", "\x7f", "\x85", "\u2028", "\ufeff", "\U0001f600"]
TRICKY = st.sampled_from([*WORDS, *MARKS, *CHARACTERS])
TEXTS = ANY | TRICKY | st.text("abc:/-. ", max_size=300)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
DATA = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=12)


@given(DATA)
@example({"k" * 2000: [[], {}, [[{"a": [1]}]]]})
@example({"k" * 2000: {"a": 1}})
@example([[{"a": 1, "b": [1, {"c": 2}]}], "x"])
def test_it_is_read_as_the_same(data: Any) -> None:
    text = to_yaml(data)
    assert yaml.safe_load(text) == data
    assert yaml.load(text, Loader=yaml.CSafeLoader) == data


def test_people_can_read_it() -> None:
    machine = {
        "apiVersion": "cluster.x-k8s.io/v1beta1",
        "metadata": {"name": "prod-a-1", "labels": {"a/b": "true"}, "annotations": {}},
        "spec": {"replicas": 3, "services": [{"service": "APIServer"}, "plain words"]},
    }
    assert to_yaml(machine).decode() == (
        "apiVersion: cluster.x-k8s.io/v1beta1\n"
        "metadata:\n"
        "  name: prod-a-1\n"
        "  labels:\n"
        '    a/b: "true"\n'
        "  annotations: {}\n"
        "spec:\n"
        "  replicas: 3\n"
        "  services:\n"
        "  - service: APIServer\n"
        '  - "plain words"\n'
    )


@pytest.mark.parametrize("value", [{"a": object()}, {1: "a"}, [b"a"]])
def test_what_is_not_json_is_no_yaml(value: Any) -> None:
    with pytest.raises(TypeError):
        to_yaml(value)
