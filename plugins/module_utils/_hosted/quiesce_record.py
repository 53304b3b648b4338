# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record on the HostedCluster while a run relies on it: it must stay there, and stay what it was."""

from __future__ import annotations

import shlex

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.inventory import annotation, uid_of
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.kinds import HOSTED_CLUSTER
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.names import HYPERSHIFT, PRIOR_ANNOTATION, Target
from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.quiesce_prior import Prior, prior_from_json
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.api import Api
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import Interrupted


class KeptRecord:
    """The record as this run has written it, or else as it was when this run first relied on it."""

    def __init__(self, api: Api, target: Target) -> None:
        self._api, self._target = api, target
        self._text = ""
        self._prior: Prior | None = None

    def written(self, text: str) -> None:
        """Rely on what this run has just written."""
        self._text, self._prior = text, prior_from_json(text)

    def require(self) -> None:
        """Raise Interrupted, with the command that puts it back, when it is gone or another one: nothing else would tell."""
        ref = self._target.ref
        found = self._api.get(HOSTED_CLUSTER, ref.name, ref.namespace, metadata_only=True)
        text = annotation(found, PRIOR_ANNOTATION)
        try:
            now = prior_from_json(text)
        except ValueError as error:
            raise self._lost(f"now it cannot be read: {error}" if text else "now it is not there") from error
        if now.uid != uid_of(found):
            raise self._lost(f"now it is that of another HostedCluster (uid {now.uid})")
        if self._prior is None:
            self._text, self._prior = text, now
        elif now != self._prior:
            raise self._lost(f"now it says {text}")

    def _lost(self, what: str) -> Interrupted:
        target = self._target
        put_back = (
            f"put it back: kubectl annotate hostedclusters.{HYPERSHIFT} -n {target.namespace} {target.name} --overwrite "
            f"{shlex.quote(f'{PRIOR_ANNOTATION}={self._text}')}; then run the same command again"
        )
        return Interrupted(
            f"The annotation {PRIOR_ANNOTATION} of {target.ref} is gone or was changed",
            object=target.ref,
            why=f"it is the record of what was there before, and {what}",
            next="find out who writes this HostedCluster (a GitOps tool?) and keep them from it; "
            + (put_back if self._text else "the steps of this result say what there was before, then run the same command again"),
        )
