# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines as the output shows them best."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ansible import constants
from ansible.errors import AnsibleError

DOCUMENTATION = r"""
name: readable
short_description: Lines as the output shows them best
version_added: 0.1.0
author:
  - meshops contributors (@meshops)
description:
  - Where results are printed as JSON (Ansible's default) a list of lines is readable and a text of several lines is not. Where they are
    printed as YAML (C(callback_result_format=yaml)) it is the other way round, since long items of lists are folded.
  - This returns what suits.
options:
  _input:
    description: The lines.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show what was done
  ansible.builtin.debug:
    msg: "{{ upgrade | meshops.lifecycle.result_lines | meshops.lifecycle.readable }}"
"""

RETURN = r"""
_value:
  description: The list, or a text of all lines.
  type: raw
  sample: |-
    first line
    second line
"""


def readable(lines: Sequence[str]) -> list[str] | str:
    """``lines`` as a list, or as one text when the callback prints YAML (with an end of line, or a single long line would be folded)."""
    return "".join(f"{line}\n" for line in lines) if _prints_yaml() else list(lines)


def _prints_yaml() -> bool:
    try:
        return bool(constants.config.get_config_value("result_format", plugin_type="callback", plugin_name="default") == "yaml")
    except AnsibleError:  # another callback is in charge, and this one was never loaded
        return False


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"readable": readable}
