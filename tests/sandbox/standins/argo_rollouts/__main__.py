# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Command line: installs the kind Rollout in one cluster and runs its objects until SIGTERM or SIGINT."""

from __future__ import annotations

import time

from osm_family.api import Api, ApiError
from playing import Say, play

from .controller import Controller
from .definition import ROLLOUTS, definition


def start(api: Api, say: Say) -> None:
    try:
        api.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition())
    except ApiError as error:
        if error.reason != "AlreadyExists":
            raise
    while not _served(api):
        time.sleep(0.1)
    Controller(api, say).start()


def _served(api: Api) -> bool:
    try:
        return api.find(ROLLOUTS) is not None
    except ApiError as error:
        if error.status != 429:  # the definition is not ready yet
            raise
        return False


if __name__ == "__main__":
    play("argo", __doc__, start)
