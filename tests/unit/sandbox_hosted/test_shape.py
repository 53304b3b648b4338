# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shapes of hosted clusters: names as HyperShift makes them, machines of any number, neighbours that are told apart."""

from __future__ import annotations

from base64 import b64decode

from hosted.control_plane_objects import workloads
from hosted.hypershift_objects import hosted_cluster, hosted_control_plane
from hosted.machine_objects import machine_graph
from hosted.secret_objects import secrets_and_config
from hosted.shape import Pool, Shape, neighbours, shape_of_size


def test_dots_become_dashes_in_the_namespace_only() -> None:
    shape = Shape("prod.v2", "clusters")
    assert (shape.control_plane_namespace, shape.annotated) == ("clusters-prod-v2", "clusters/prod.v2")
    assert "." not in shape.infra_id


def test_machines_are_the_same_in_every_run_and_different_in_every_cluster() -> None:
    shape = shape_of_size("prod", 500, 10)
    machines = shape.machines()
    assert machines == shape_of_size("prod", 500, 10).machines()
    assert len({machine.instance for machine in machines}) == len({machine.address for machine in machines}) == 500
    assert {machine.instance for machine in machines}.isdisjoint(machine.instance for machine in shape_of_size("stage", 500, 10).machines())
    renamed = shape.machines({machines[0].name: "i-0123"})
    assert renamed[0].provider_id == "aws:///us-east-2a/i-0123"


def test_every_owner_is_made_before_what_it_owns() -> None:
    shape = Shape("prod", pools=(Pool("a", 3), Pool("b", 2, upgrade="InPlace")))
    endpoint = ("127.0.0.1", 443)
    made = [
        hosted_cluster(shape, endpoint),
        hosted_control_plane(shape, endpoint, "cluster.x-k8s.io/v1beta1"),
        *machine_graph(shape, endpoint, shape.machines()),
        *secrets_and_config(shape, {}),
        *workloads(shape, ()),
    ]
    layers = {(item.namespace, item.kind, item.name): item.layer for item in made}
    assert len(layers) == len(made)
    owned = [item for item in made if item.owner]
    assert owned
    for item in owned:
        assert item.owner is not None
        assert layers[(item.namespace, item.owner.kind, item.owner.name)] < item.layer, item


def test_neighbours_begin_with_the_name_and_one_shares_a_namespace() -> None:
    shape = shape_of_size("prod", 2)
    others = neighbours(shape)
    assert [other.name for other in others] == ["prod2", "prod-eu", "prod.v2", "prod", "prod-v2"]
    assert others[2].control_plane_namespace == others[4].control_plane_namespace
    assert others[3].control_plane_namespace != shape.control_plane_namespace
    assert [other.control_plane for other in others] == [True, True, True, True, False]


def test_every_secret_of_the_cluster_has_the_word_to_look_for() -> None:
    shape = Shape("prod", pools=(Pool("a", 1),), secret="planted")
    secrets = [made.body for made in secrets_and_config(shape, {}) if made.kind == "Secret" and made.body["type"] == "Opaque"]
    values = [b64decode(value) for secret in secrets for value in secret["data"].values()]
    assert len(secrets) > 20
    assert all(b"planted" in value for value in values)
