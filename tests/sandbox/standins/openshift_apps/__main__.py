# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Command line: serves and runs DeploymentConfigs in one cluster until SIGTERM or SIGINT."""

from __future__ import annotations

import time

from osm_family.api import Api, ApiError
from osm_family.authority import new_authority, server_certificate
from playing import Say, play

from .controller import Controller
from .objects import GROUP, NAMESPACE, PATH, PORT, SERVICE, install
from .serving import serve

_AVAILABLE_SECONDS = 30.0


def start(api: Api, say: Say) -> None:
    authority = new_authority()
    address = install(api, authority.certificate)
    serve(api, address, PORT, server_certificate(authority, SERVICE, NAMESPACE))
    wait_until_served(api)
    Controller(api, say).start()
    say(f"serves {GROUP} at {address}:{PORT}")


def wait_until_served(api: Api) -> None:
    """Wait until the API server has found the group; ends the program when it does not."""
    deadline = time.monotonic() + _AVAILABLE_SECONDS
    while time.monotonic() < deadline:
        try:
            if api.find(f"{PATH}/deploymentconfigs") is not None:
                return
        except ApiError as error:
            if error.status not in (429, 503):  # the definition, or the group, is not ready yet
                raise
        time.sleep(0.1)
    raise SystemExit(f"the API server does not find {GROUP}: kubectl describe apiservice v1.{GROUP}")


if __name__ == "__main__":
    play("openshift", __doc__, start)
