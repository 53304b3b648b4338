# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a bare pod could be created again, asked as long as it still runs."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import KubeError
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import POD

# What says nothing about the pod: the one that still runs counts in the quota (kubernetes staging/src/k8s.io/apiserver/pkg/admission and
# plugin/pkg/admission/resourcequota), and a webhook with side effects is asked on real requests only (webhook/mutating/dispatcher.go).
_SAYS_NOTHING = ("exceeded quota", "does not support dry run")


def refusal_of(api: Api, manifest: Mapping[str, Any], namespace: str) -> KubeError | None:
    """Create ``manifest`` as a dry run under another name, and return the API server's refusal; None when it would be created."""
    trial = {**manifest, "metadata": {**manifest["metadata"], "name": f"meshops-trial-{uuid.uuid4().hex[:12]}"}}
    try:
        api.create(POD, trial, namespace, dry_run=True)
    except KubeError as error:
        return None if any(text in error.message for text in _SAYS_NOTHING) else error
    return None
