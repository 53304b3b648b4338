# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The marker in the hosted cluster that says which management cluster it is (or was) on.

Read while its API answers, which it need not: what is saved after a disaster may have no API server any more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import Inventory, mapping, metadata_of, replicas_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import MARKER
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_prior import UNKNOWN_MARKER, PriorMarker
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_workloads import KUBE_APISERVER, to_stop
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kinds import CONFIGMAP
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

NAMESPACE = "default"
ENTRY = "from"
REF = ObjectRef("ConfigMap", MARKER, NAMESPACE)
_SECONDS = 15.0


class MarkerState(NamedTuple):
    """The marker as it was found; ``why`` it is unknown, and whether that is so because the API server is ``stopped`` (at 0 replicas)."""

    prior: PriorMarker = UNKNOWN_MARKER
    uid: str = ""
    resource_version: str = ""
    why: str = ""
    stopped: bool = False


class MarkerReader:
    """Reads the marker; ``open_api`` connects to the hosted cluster, and raises LifecycleError when it cannot.

    An API that did not answer is not asked again: each of the many readings of one run would wait for it.
    """

    def __init__(self, open_api: Callable[[], Api]) -> None:
        self._open = open_api
        self._api: Api | None = None
        self._silent: MarkerState | None = None

    @property
    def api(self) -> Api:
        """The hosted cluster's API; raises LifecycleError."""
        if self._api is None:
            self._api = self._open()
        return self._api

    def read(self, inventory: Inventory) -> MarkerState:
        """Return the marker as it is; one that cannot be read is unknown, which is no error."""
        api_server = next(iter(to_stop(inventory, [KUBE_APISERVER])), None)
        if api_server is not None and replicas_of(api_server) == 0:
            return MarkerState(why="its API server is scaled to 0", stopped=True)
        if self._silent is not None:
            return self._silent
        try:
            found = self.api.within(_SECONDS).get_or_none(CONFIGMAP, MARKER, NAMESPACE)
        except LifecycleError as error:
            self._silent = MarkerState(why=str(error))
            return self._silent
        if found is None:
            return MarkerState(PriorMarker("absent"))
        value = mapping(found, "data").get(ENTRY)
        metadata = metadata_of(found)
        prior = PriorMarker("present", None if value is None else str(value))
        return MarkerState(prior, str(metadata.get("uid") or ""), str(metadata.get("resourceVersion") or ""))
