# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file system of an etcd pod: the programs and certificates that its image and volumes have, and no others."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from sandboxlib import binaries
from sandboxlib.errors import SandboxError

# What an image with coreutils, bash, grep, sed and curl has (v2/etcd/etcd-init.sh uses these); there is no tar.
_PROGRAMS = Path(__file__).with_name("etcd_image_programs.txt").read_text(encoding="ascii").split()
_BELOW_HOST = ("lib", "lib64", "dev", "proc", "sys")
_CONFIGURATION = ("ld.so.cache", "ssl", "pki", "passwd", "group")


@dataclass(frozen=True)
class Image:
    """What the etcd pods have. ``certificates`` "old" is where HyperShift kept the authority before 4.12.

    Without ``etcdutl`` they have etcdctl 3.5, which still has ``snapshot status``; with it, both of 3.6.
    ``data_size`` and ``tmp_size`` are what fits on /var/lib (in addition to etcd's own files) and on /tmp.
    """

    certificates: str = "current"
    etcdutl: bool = True
    data_size: str = "8g"
    tmp_size: str = "8g"

    @property
    def authority(self) -> str:
        """Where the certificate of the authority is."""
        return "etc/etcd/tls/etcd-ca/ca.crt" if self.certificates == "current" else "etc/etcd/tls/client/etcd-client-ca.crt"

    def write(self, directory: Path, address: str, certificates: dict[str, bytes]) -> None:
        """Write the files below ``directory``; ``localhost`` is ``address``; ``certificates``: ``ca``, ``crt`` and ``key``."""
        programs = directory / "usr" / "bin"
        programs.mkdir(parents=True)
        for name in _PROGRAMS:
            if found := shutil.which(name):
                (programs / name).symlink_to(f"/.host{os.path.realpath(found)}")
        clients = "etcd-clients" if self.etcdutl else "etcd-clients-3.5"
        for name in ("etcdctl", "etcdutl") if self.etcdutl else ("etcdctl",):
            (programs / name).symlink_to(f"/.host{binaries.binary(name, clients)}")
        (directory / "bin").symlink_to("usr/bin")
        (directory / "usr" / "lib").symlink_to("/.host/usr/lib")
        (directory / "usr" / "lib64").symlink_to("/.host/usr/lib64")
        for name in _BELOW_HOST:
            (directory / name).symlink_to(f"/.host/{name}")
        configuration = directory / "etc"
        configuration.mkdir()
        for name in _CONFIGURATION:
            (configuration / name).symlink_to(f"/.host/etc/{name}")
        (configuration / "hosts").write_text(f"{address} localhost\n", encoding="ascii")
        (configuration / "nsswitch.conf").write_text("hosts: files dns\n", encoding="ascii")
        client = configuration / "etcd" / "tls" / "client"
        client.mkdir(parents=True)
        (directory / self.authority).parent.mkdir(exist_ok=True)
        (directory / self.authority).write_bytes(certificates["ca"])
        (client / "etcd-client.crt").write_bytes(certificates["crt"])
        (client / "etcd-client.key").write_bytes(certificates["key"])


def entering() -> list[str]:
    """The command that runs another in a mount namespace of its own; SandboxError where this machine does not let us."""
    unshare = shutil.which("unshare")
    if unshare is None:
        raise SandboxError("a real etcd of a hosted cluster needs unshare (package util-linux)")
    command = [unshare, "--mount"] if os.geteuid() == 0 else [unshare, "--map-root-user", "--mount"]
    done = subprocess.run([*command, "mount", "-t", "tmpfs", "probe", "/tmp"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SandboxError(
            "a real etcd of a hosted cluster needs a mount namespace of its own per pod, and this machine does not allow that "
            f"({done.stderr.strip()}): run as root, or allow user namespaces (kernel.unprivileged_userns_clone, AppArmor's "
            "kernel.apparmor_restrict_unprivileged_userns)"
        )
    return command
