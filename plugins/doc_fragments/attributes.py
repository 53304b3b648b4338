# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Attributes that modules declare; a module adds ``support`` and, where it is not full, ``details``."""

from __future__ import annotations


class ModuleDocFragment:
    """What check mode, diff mode and the like mean here."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and tell what it would change without writing anything to the cluster.
  diff_mode:
    description: Returns what changed, or in check mode would change, object by object, with secrets masked.
  idempotent:
    description: Run again with the same options, it changes nothing.
  action:
    description: Has a part that runs on the controller.
    support: full
    details:
      - It finds and decrypts C(kubeconfig) there, as the modules of C(kubernetes.core) do, and prints live progress.
  async:
    description: Supports being used with the C(async) keyword.
    support: full
    details:
      - Without live progress. A C(kubeconfig) file that is encrypted with Ansible Vault may be gone before the module reads it.
  platform:
    description: Target operating systems of the host that the module runs on.
    support: full
    platforms: linux
"""

    INFO = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - It changes nothing in any mode.
  diff_mode:
    support: N/A
    details:
      - It changes nothing.
  idempotent:
    support: full
    details:
      - It changes nothing.
"""

    CHANGES = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - Reads, plans, asks for the permissions, and lets the API server judge the writes by a dry run where it can.
        Steps that need an earlier one to be real are marked C(simulated) with the reason.
  diff_mode:
    support: full
  idempotent:
    support: full
    details:
      - A second run plans no steps and writes nothing.
"""
