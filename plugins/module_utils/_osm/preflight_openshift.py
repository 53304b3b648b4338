# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What OpenShift wants of pods whose init container changes iptables. Pure."""

from __future__ import annotations

from ansible_collections.meshops.lifecycle.plugins.module_utils._osm.preflight_facts import Account, Facts, named
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.finding import Finding
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

_CONSTRAINT_ROLE = "system:openshift:scc:"
_EVERYBODY = ("system:authenticated", "system:serviceaccounts")


def openshift(facts: Facts) -> list[Finding]:
    """The init container must be privileged, and each service account must be allowed to run it (osm-edge documentation, "OpenShift")."""
    if not facts.openshift or not facts.with_init or not facts.injected:
        return []
    findings = []
    if not facts.sidecar.get("enablePrivilegedInitContainer"):
        findings.append(
            Finding(
                "error",
                "init-container-not-privileged",
                facts.mesh.mesh_config_ref,
                "sidecar.enablePrivilegedInitContainer is not true, and this is an OpenShift cluster",
                "on OpenShift only a privileged init container can write the iptables rules: pods with a sidecar do not start",
                "mesh_config with spec: {sidecar: {enablePrivilegedInitContainer: true}}",
            )
        )
    if "securitycontextconstraints" in facts.unread:
        return findings
    lacking: dict[Account, list[ObjectRef]] = {}
    for workload in facts.injected:
        if not may_run_privileged(facts, workload.account):
            lacking.setdefault(workload.account, []).append(workload.ref)
    findings += [
        Finding(
            "error",
            "no-privileged-scc",
            ObjectRef("ServiceAccount", account.name, account.namespace),
            f"may not use a SecurityContextConstraints that allows privileged containers, and runs {named(refs)}",
            "OpenShift refuses pods whose init container is privileged, or needs root and NET_ADMIN, to this account",
            f"oc adm policy add-scc-to-user privileged -z {account.name} -n {account.namespace}",
        )
        for account, refs in sorted(lacking.items())
    ]
    return findings


def may_run_privileged(facts: Facts, account: Account) -> bool:
    """Whether a constraint names the account or a group of it, or a binding gives it a role that allows the use of one."""
    user = f"system:serviceaccount:{account.namespace}:{account.name}"
    groups = {*_EVERYBODY, f"system:serviceaccounts:{account.namespace}"}
    if any(user in constraint.users or groups & {*constraint.groups} for constraint in facts.constraints):
        return True
    constraints = {constraint.name for constraint in facts.constraints}
    for binding in facts.bindings:
        if binding.ref.namespace not in ("", account.namespace) or not (binding.binds(account) or groups & {*binding.groups}):
            continue
        kind, role = binding.role
        place = binding.ref.namespace if kind == "Role" else ""
        if role.removeprefix(_CONSTRAINT_ROLE) in constraints and role.startswith(_CONSTRAINT_ROLE):
            return True
        if constraints and any((kind, place, role, name) in facts.constraint_roles for name in (*constraints, "*")):
            return True
    return False
