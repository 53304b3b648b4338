# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands that are run in etcd's pods, and where its files are there.

HyperShift since 4.12 keeps the authority in etcd-ca, before that beside the client's certificate. etcd 3.6 has moved
``snapshot status`` from etcdctl to etcdutl (control-plane-operator/controllers/hostedcontrolplane/v2/etcd/etcd-init.sh asks for
/usr/bin/etcdutl in the same way); ``snapshot save`` is still etcdctl's, and takes exactly one endpoint.
"""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.meshops.lifecycle.plugins.module_utils._hosted.etcd_state import PLACES, Tools

CONTAINER = "etcd"
AUTHORITIES = ("/etc/etcd/tls/etcd-ca/ca.crt", "/etc/etcd/tls/client/etcd-client-ca.crt")
CERTIFICATE, KEY = "/etc/etcd/tls/client/etcd-client.crt", "/etc/etcd/tls/client/etcd-client.key"
ETCDCTL, ETCDUTL = "/usr/bin/etcdctl", "/usr/bin/etcdutl"
DATA = "/var/lib/data"
_ENDPOINT = "https://localhost:2379"
# Also etcdctl's own default.
_ANSWER_SECONDS = 5

FILES = ("ls", "-1Ap", *AUTHORITIES, CERTIFICATE, KEY, ETCDCTL, ETCDUTL, *PLACES, DATA)
ROOM = ("df", "-B1", "--output=file,size,avail,fstype,target", *PLACES)
STATUS = ("endpoint", "status", "-w", "json")
HEALTH = ("endpoint", "health", "-w", "json")
MEMBERS = ("member", "list", "-w", "json")
ALARMS = ("alarm", "list", "-w", "json")


def etcdctl(tools: Tools, arguments: Sequence[str], seconds: float = _ANSWER_SECONDS) -> list[str]:
    """Return the command that asks the pod's own member, which ends after ``seconds`` even when nobody listens to it any more."""
    return [
        "env",
        "ETCDCTL_API=3",
        ETCDCTL,
        f"--endpoints={_ENDPOINT}",
        f"--cacert={tools.authority}",
        f"--cert={CERTIFICATE}",
        f"--key={KEY}",
        f"--command-timeout={max(1, int(seconds))}s",
        *arguments,
    ]


def snapshot_status(tools: Tools, path: str) -> list[str]:
    """Return the command that looks into a snapshot."""
    program = [ETCDUTL] if tools.etcdutl else ["env", "ETCDCTL_API=3", ETCDCTL]
    return [*program, "snapshot", "status", path, "-w", "json"]
