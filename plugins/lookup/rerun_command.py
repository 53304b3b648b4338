# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command that repeats this run on some of its hosts."""

from __future__ import annotations

# ruff: noqa: E402 (Ansible wants the documentation before the imports)
DOCUMENTATION = r"""
name: rerun_command
short_description: The command that repeats this run on some of its hosts
version_added: 0.1.0
author:
  - meshops contributors (@meshops)
description:
  - Returns the command line of this C(ansible-playbook) run, with the same inventories, extra variables and vault options, limited to the
    hosts given.
  - C(--check) and C(--diff) are left out. Extra variables that are named like a secret are shown as asterisks and have to be filled in.
options:
  _terms:
    description: The hosts.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Say how to go on with the clusters that failed
  ansible.builtin.debug:
    msg: "{{ lookup('meshops.lifecycle.rerun_command', ['east', 'west']) }}"
"""

RETURN = r"""
_raw:
  description: The command, quoted for a shell.
  type: list
  elements: str
  sample:
    - ansible-playbook meshops.lifecycle.upgrade -i fleet.yml -e mesh_upgrade_chart_version=1.3.9 --limit east,west
"""

import json
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from ansible import context
from ansible.errors import AnsibleLookupError
from ansible.parsing.splitter import parse_kv
from ansible.plugins.lookup import LookupBase

from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.redact import Redactor


def rerun_command(arguments: Mapping[str, Any], hosts: Iterable[str]) -> str:
    """The command line for ``hosts``; ``arguments`` are those of the present one, as ansible's ``context.CLIARGS`` has them."""
    words = ["ansible-playbook", *arguments.get("args", ())]
    for inventory in arguments.get("inventory") or ():
        words += ["-i", inventory]
    for extra in arguments.get("extra_vars") or ():
        words += ["-e", _without_secrets(extra)]
    for vault_id in arguments.get("vault_ids") or ():
        words += ["--vault-id", vault_id]
    for file in arguments.get("vault_password_files") or ():
        words += ["--vault-password-file", file]
    if arguments.get("ask_vault_pass"):
        words.append("--ask-vault-pass")
    return " ".join(map(shlex.quote, [*words, "--limit", ",".join(hosts)]))


def _without_secrets(extra: str) -> str:
    """``extra`` as it was given, or when it holds secrets, written anew with asterisks in their place."""
    text = extra.strip()
    if text.startswith("@"):
        return extra
    if text.startswith(("{", "[")):
        try:
            data = json.loads(text)
        except ValueError:  # YAML in the flow style is too rare to be parsed here: nothing of it is shown
            return "{…}"
        masked = Redactor().data(data)
        return extra if masked == data else json.dumps(masked)
    pairs = parse_kv(text)
    masked = Redactor().data(pairs)
    if masked == pairs or not isinstance(masked, Mapping):
        return extra
    return " ".join(f"{name}={shlex.quote(str(value))}" for name, value in masked.items())


class LookupModule(LookupBase):  # type: ignore[misc]
    """Ansible's entry point."""

    def run(self, terms: list[Any], variables: Mapping[str, Any] | None = None, **kwargs: Any) -> list[str]:
        """Return the command in a list of one."""
        self.set_options(var_options=variables, direct=kwargs)
        hosts = [host for term in terms for host in ([term] if isinstance(term, str) else term)]
        if not hosts:
            raise AnsibleLookupError("rerun_command needs the hosts to run on")
        return [rerun_command(context.CLIARGS, hosts)]
