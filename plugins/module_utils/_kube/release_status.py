# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Set a Helm revision that nobody works on any more to ``failed``, which Helm can upgrade from.

Helm keeps the status twice, in the Secret's label and inside the release (helm pkg/storage/driver/secrets.go ``newSecretsObject``);
it refuses ``pending-*`` and goes on from ``failed``, with the last deployed revision as the base (helm pkg/action/upgrade.go).
"""

from __future__ import annotations

import base64
import gzip
import json

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import SECRET
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.releases import PENDING
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import WriteConflict
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef


def mark_failed(api: Api, namespace: str, secret: str, why: str) -> str:
    """Rewrite one pending revision as failed, keeping everything else of it; return a message.

    Raises WriteConflict when the revision is no longer pending: Helm has finished it meanwhile.
    """
    stored = api.get(SECRET, secret, namespace)
    release = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(stored["data"]["release"]))))
    status = release["info"]["status"]
    if status not in PENDING:
        raise WriteConflict(
            f"Secret {namespace}/{secret} is {status} by now", object=ObjectRef("Secret", secret, namespace), why="Helm has finished it"
        )
    release["info"].update(status="failed", description=f"{status} given up: {why}")
    packed = base64.b64encode(gzip.compress(json.dumps(release).encode()))
    api.patch(
        SECRET,
        secret,
        {"metadata": {"labels": {"status": "failed"}}, "data": {"release": base64.b64encode(packed).decode()}},
        namespace,
        uid=stored["metadata"]["uid"],
        resource_version=stored["metadata"]["resourceVersion"],
    )
    return f"was {status}"
