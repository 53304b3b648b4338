# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Take a conversion webhook out of a definition.

``kubectl apply`` cannot: it was not applied, so it is in no last-applied annotation (openservicemesh/osm issue 4466). Nothing else of the
definition is touched, in contrast to the chart's hook, which replaces whole definitions that other meshes may share.
"""

from __future__ import annotations

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import CRD

NO_CONVERSION = {"spec": {"conversion": {"strategy": "None", "webhook": None}}}


def strip_conversion(api: Api, name: str, uid: str, resource_version: str, *, dry_run: bool = False) -> None:
    """Set ``spec.conversion`` to None in exactly the state of the definition that was read; raises Conflict in any other.

    In another state it might be converted by another Service, which may be alive.
    """
    api.patch(CRD, name, NO_CONVERSION, uid=uid, resource_version=resource_version, dry_run=dry_run)
