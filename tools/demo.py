# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Upgrade a mesh on a real control plane before the reader's eyes, with the commands that a user would type.

A sandbox cluster with osm-edge 1.2.3 and sample applications is started, the playbook upgrades it to 1.3.9, and a second run
must find nothing to do. Exits with 1 as soon as something is not as promised. Begun again, it starts over at 1.2.3.

usage: tools/demo [--down]        --down ends the cluster and removes what the demo wrote
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
SANDBOX = ROOT / "tests" / "sandbox" / "sandbox"
NAME = "demo"
BEFORE, AFTER = "1.2.3", "1.3.9"
# tools/demo names the cache by the rule of tools/python.
STATE = Path(os.environ["MESHOPS_CACHE"]) / "demo"
INVENTORY = STATE / "inventory.yml"
REPORTS = STATE / "reports"

started = time.monotonic()


def heading(text: str) -> None:
    print(f"\n=== {text} ({time.monotonic() - started:.0f} s so far)", flush=True)


def run(*command: str | Path, stdout: int | None = None) -> str:
    """Run ``command``, its output passed through or (``stdout=PIPE``) returned; raises SystemExit when it fails."""
    words = [str(word) for word in command]
    done = subprocess.run(words, check=False, stdout=stdout, text=True)
    if done.returncode:
        raise SystemExit(f"demo: this command failed ({done.returncode}): {shlex.join(words)}")
    return done.stdout or ""


def binary(name: str, directories: Sequence[str]) -> Path:
    """The path of ``name`` in the one of ``directories`` that has it."""
    (path,) = (Path(directory) / name for directory in directories if (Path(directory) / name).is_file())
    return path


def playbook(path: str, *arguments: str) -> None:
    """Run a playbook in the collection's tree, after showing the command as it would be typed in the checkout."""
    command = ["ansible-playbook", path, "-i", str(INVENTORY), *arguments]
    print(f"$ tools/in-tree {shlex.join(command)}", flush=True)
    run(ROOT / "tools" / "in-tree", *command)


def write_inventory(kubeconfig: str, helm: Path) -> None:
    host = {
        "meshops_kubeconfig": kubeconfig,
        "mesh_upgrade_binary_path": str(helm),
        # Here a directory; by default it is the published chart of the mesh's product.
        "mesh_upgrade_chart_ref": str(ROOT / "tests" / "sandbox" / "charts" / f"osm-edge-{AFTER}"),
    }
    local = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    STATE.mkdir(parents=True, exist_ok=True)
    INVENTORY.write_text(yaml.safe_dump({"all": {"hosts": {NAME: host}, "vars": local}}, sort_keys=False), encoding="utf-8")


def upgrade() -> tuple[dict[str, Any], Path]:
    """Run the upgrade; returns what its report says about the cluster, and the report for people."""
    known = set(REPORTS.glob("*.json"))
    playbook("playbooks/upgrade.yml", "-e", f"mesh_upgrade_chart_version={AFTER}", "-e", f"mesh_upgrade_report_dir={REPORTS}")
    (report,) = set(REPORTS.glob("*.json")) - known
    (cluster,) = json.loads(report.read_text(encoding="utf-8"))["clusters"]
    return cluster, report.with_suffix(".md")


def expect(cluster: dict[str, Any], **promised: object) -> None:
    """Raise SystemExit when the report says something else than ``promised``."""
    seen = {name: cluster[name] for name in promised}
    if seen != promised:
        raise SystemExit(f"demo: not as promised: the report says {seen} instead of {promised}")


def down() -> None:
    run(SANDBOX, "down", NAME)
    shutil.rmtree(STATE, ignore_errors=True)


def main() -> int:
    if sys.argv[1:] == ["--down"]:
        down()
        return 0
    heading("Binaries of the control plane: built once, then reused")
    binaries = run(SANDBOX, "build", stdout=subprocess.PIPE)
    print(binaries, end="")
    helm, kubectl = (binary(name, binaries.splitlines()) for name in ("helm", "kubectl"))
    heading(f"A cluster with a mesh (osm-edge {BEFORE}) and sample applications")
    down()
    run(SANDBOX, "up", NAME, "--mesh", f"osm-edge={BEFORE}", "--apps", "bookstore")
    kubeconfig = run(SANDBOX, "kubeconfig", NAME, stdout=subprocess.PIPE).strip()
    write_inventory(kubeconfig, helm)
    heading("The mesh as it is")
    playbook("examples/show-mesh.yml")
    heading(f"Upgrade to {AFTER}")
    first, report = upgrade()
    expect(first, outcome="changed", before=BEFORE, after=AFTER)
    heading("The mesh as it is now")
    playbook("examples/show-mesh.yml")
    heading("The same again: nothing must change")
    second, _unchanged = upgrade()
    expect(second, outcome="unchanged", changed=False, after=AFTER)
    heading(f"osm-edge {BEFORE} → {AFTER} in {first['duration']:.0f} s, and a second run changed nothing")
    print(f"Report:       {report}")
    print(f"Inventory:    {INVENTORY}")
    print(f"Look around:  export KUBECONFIG={kubeconfig}")
    print(f"              {kubectl} get pods -A")
    print(f"              {helm} history osm -n osm-system")
    print("Remove it:    make demo-down")
    return 0


if __name__ == "__main__":
    sys.exit(main())
