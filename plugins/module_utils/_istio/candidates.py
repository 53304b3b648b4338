# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a cluster has an Istio, in one request."""

from __future__ import annotations

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import DEPLOYMENT
from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.mesh_candidates import MeshCandidate

ISTIOD = "app=istiod"


def istio_candidates(api: Api) -> list[MeshCandidate]:
    """Return one entry for each namespace that has an istiod, of whatever revision; raises KubeError."""
    found = api.list(DEPLOYMENT, label_selector=ISTIOD, metadata_only=True)
    return [MeshCandidate("istio", namespace, "istio") for namespace in sorted({item["metadata"]["namespace"] for item in found})]
