# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command to go on with."""

from __future__ import annotations

import shlex

import pytest

from ansible_collections.meshops.lifecycle.plugins.lookup.rerun_command import rerun_command


def test_repeats_what_matters() -> None:
    arguments = {
        "args": ("meshops.lifecycle.upgrade",),
        "inventory": ["/fleet one.yml"],
        "extra_vars": ["mesh_upgrade_chart_version=1.3.9", '{"mesh_upgrade_serial": [1, 3]}', "@more.yml"],
        "vault_ids": ["prod@prompt"],
        "vault_password_files": ["/vault"],
        "check": True,
        "subset": "canary",
    }
    assert shlex.split(rerun_command(arguments, ["east", "west"])) == [
        "ansible-playbook", "meshops.lifecycle.upgrade", "-i", "/fleet one.yml",
        "-e", "mesh_upgrade_chart_version=1.3.9", "-e", '{"mesh_upgrade_serial": [1, 3]}', "-e", "@more.yml",
        "--vault-id", "prod@prompt", "--vault-password-file", "/vault", "--limit", "east,west",
    ]  # fmt: skip


def test_without_options() -> None:
    arguments = {"args": ("playbooks/upgrade.yml",), "inventory": None, "extra_vars": (), "ask_vault_pass": True}
    assert rerun_command(arguments, ["east"]) == "ansible-playbook playbooks/upgrade.yml --ask-vault-pass --limit east"


@pytest.mark.parametrize(
    "extra",
    ["meshops_api_key=s3cretvalue chart=1", '{"meshops_api_key": "s3cretvalue"}', "{meshops_api_key: s3cretvalue}", "[s3cretvalue"],
)
def test_secrets_are_not_shown(extra: str) -> None:
    assert "s3cretvalue" not in rerun_command({"args": ("p.yml",), "extra_vars": [extra]}, ["east"])
