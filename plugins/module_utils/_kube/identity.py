# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which cluster this is. A kubeconfig's name says nothing: the uid of kube-system is the cluster's own."""

from __future__ import annotations

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import NAMESPACE
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import Refused
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef


def cluster_uid(api: Api) -> str:
    """Return the uid of the Namespace kube-system."""
    return str(api.get(NAMESPACE, "kube-system", metadata_only=True)["metadata"]["uid"])


def server_version(api: Api) -> str:
    """Return the API server's version without its leading ``v`` (``1.34.4``), from ``GET /version``."""
    return str(api.raw_get("/version")["gitVersion"]).removeprefix("v")


def check_expected_cluster(expected: str, uid: str, server: str) -> None:
    """Raise Refused when the cluster behind ``server`` is not the one with the uid ``expected``."""
    if expected.strip().lower() == uid.lower():
        return
    raise Refused(
        f"This is not the expected cluster: {server} is cluster {uid}, expected was {expected}",
        object=ObjectRef("Namespace", "kube-system"),
        why="the uid of the Namespace kube-system differs from expected_cluster",
        state="nothing was read or written beyond that uid",
        next="correct the connection of this host (kubeconfig, context), or expected_cluster if the cluster was rebuilt",
        details={"expected_cluster": expected, "cluster": {"server": server, "uid": uid}},
    )
