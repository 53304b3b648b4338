# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run ``ansible-test sanity`` with nothing but a package index in reach (use: tools/in-tree python tools/sanity.py [ARGUMENT...]).

ansible-test hands only HOME and PATH on to pip and wants to download a get-pip script. So it gets a HOME of its own in the
cache, with pip's settings written into a pip.conf and a stand-in for that script; its own environments stay there as well.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

from ansible_test._internal.python_requirements import get_venv_packages

# Settings that decide where and how pip downloads; the others are nobody's business here.
FORWARDED = ("cert", "client-cert", "extra-index-url", "find-links", "index-url", "no-index", "proxy", "timeout", "trusted-host")


def pip_settings() -> dict[str, str]:
    """The user's pip settings of FORWARDED, from pip's environment variables and configuration files."""
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], check=True, capture_output=True, text=True).stdout
    settings: dict[str, str] = {}
    if proxy := os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy"):
        settings["proxy"] = proxy
    # "global.index-url='...'" and, for PIP_INDEX_URL, ":env:.index-url='...'"; the environment wins.
    for line in sorted(listed.splitlines(), key=lambda text: text.startswith(":env:")):
        name, _separator, value = line.partition("=")
        option = name.rpartition(".")[2].replace("_", "-")
        if option in FORWARDED:
            settings[option] = value.strip("'\"")
    return settings


def prepare_home(home: Path, python_version: str) -> None:
    """Write pip.conf and the get-pip stand-in under ``home``."""
    configuration = home / ".config" / "pip" / "pip.conf"
    configuration.parent.mkdir(parents=True, exist_ok=True)
    configuration.touch(mode=0o600)
    configuration.write_text(
        "[global]\n" + "".join(f"{option} = {value}\n" for option, value in pip_settings().items()),
        encoding="utf-8",
    )
    version = get_venv_packages(SimpleNamespace(version=python_version))["pip"]
    script = home / ".ansible" / "test" / "cache" / f"get_pip_{version.replace('.', '_')}.py"
    script.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(Path(__file__).with_name("get_pip.py"), script)


def main() -> int:
    if ignore_files := sorted(Path("tests/sanity").glob("ignore-*.txt")):
        print(f"violations are mended, not ignored: remove {', '.join(map(str, ignore_files))}")
        return 1
    python_version = f"{sys.version_info.major}.{sys.version_info.minor}"
    home = Path(os.environ["MESHOPS_CACHE"]) / "ansible-test"
    prepare_home(home, python_version)
    command = ["ansible-test", "sanity", "--python", python_version, "--color", "no"]
    # pslint needs PowerShell, and there is no PowerShell code here. Templates of Helm charts are called .yaml and are not YAML.
    command += ["--skip-test", "pslint", "--exclude", "tests/sandbox/charts/", *sys.argv[1:]]
    return subprocess.run(command, check=False, env={**os.environ, "HOME": str(home)}).returncode


if __name__ == "__main__":
    sys.exit(main())
