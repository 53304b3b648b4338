# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A management cluster by its inventory host, and what is said when it is not there."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.meshops.lifecycle.plugins.filter.cluster_connection import cluster_connection

HOSTS: dict[str, dict[str, Any]] = {
    "management-1": {"meshops_kubeconfig": "/k/one", "meshops_expected_cluster": "uid-1", "meshops_report": "x", "kubeconfig": "/other"},
    "management-2": {"meshops_host": "https://two", "meshops_api_key": "t", "meshops_validate_certs": False, "meshops_ca_cert": "/ca"},
    "nothing": {"meshops_expected_cluster": "uid-3", "meshops_kubeconfig": ""},
}


@pytest.mark.parametrize(
    ("cluster", "connection"),
    [
        ("management-1", {"kubeconfig": "/k/one", "expected_cluster": "uid-1"}),
        ("management-2", {"host": "https://two", "api_key": "t", "validate_certs": False, "ca_cert": "/ca"}),
        ({"kubeconfig": "/k/three", "client_cert": "/c"}, {"kubeconfig": "/k/three", "client_cert": "/c"}),
    ],
)
def test_the_variables_of_a_host_are_its_connection(cluster: Any, connection: dict[str, Any]) -> None:
    assert cluster_connection(cluster, HOSTS) == connection


@pytest.mark.parametrize(
    ("cluster", "told"),
    [
        (
            "management-9",
            "hosted_cluster_source is management-9, which is no host of the inventory: add a host management-9 with meshops_kubeconfig",
        ),
        ("nothing", "define at least one of meshops_kubeconfig, meshops_context, meshops_host, meshops_api_key for the host nothing"),
        ("", "hosted_cluster_source is not defined: define it for this host as the inventory name of its management cluster"),
        ({}, "hosted_cluster_source is not defined"),
        (["management-1"], "hosted_cluster_source is not defined"),
    ],
)
def test_what_has_to_be_defined_is_told(cluster: Any, told: str) -> None:
    with pytest.raises(AnsibleFilterError, match=r".") as refused:
        cluster_connection(cluster, HOSTS)
    assert told in str(refused.value)


def test_the_variable_is_named_in_the_error() -> None:
    with pytest.raises(AnsibleFilterError, match="hosted_cluster_destination is east"):
        cluster_connection("east", HOSTS, "hosted_cluster_destination")
