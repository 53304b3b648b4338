# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a program makes of its command line: flags that it does not know, and the parameters that it insists on.

Sources: osm-edge v1.3.9 and v1.1.1, osm v1.2.4, fsm v1.5.1, each cmd/*-{bootstrap,controller,injector}/*.go (``init``,
``validateCLIParams``), pkg/k8s/events/events.go (``FatalEvent``); github.com/spf13/pflag (``ExitOnError``).
"""

from __future__ import annotations

from collections.abc import Mapping

from .pod_logs import line
from .pods import ControlPlanePod
from .products import FSM
from .versions import Version

REASON = "FatalInvalidCLIParameters"
MESSAGE = "Error validating CLI parameters"

_OWN = ("namespace", "config-name", "version", "service-account", "container-pull-policy")
_COMMON = frozenset(
    (
        *("mesh-name", "verbosity", "v", "kubeconfig", "ca-bundle-secret-name", "certificate-manager", "enable-reconciler"),
        *("vault-protocol", "vault-host", "vault-token", "vault-role", "vault-port"),
        *("cert-manager-issuer-name", "cert-manager-issuer-kind", "cert-manager-issuer-group"),
    )
)
_SINCE_1_2 = frozenset(["trust-domain", "enable-mesh-root-certificate", "vault-token-secret-name", "vault-token-secret-key"])
_OF_ROLE: Mapping[str, frozenset[str]] = {
    "bootstrap": frozenset(),
    "controller": frozenset(["validator-webhook-config", "validate-traffic-target"]),
    "injector": frozenset(["webhook-config-name", "webhook-timeout", "webhook-port"]),
}


class Invalid(Exception):
    """The program exits with ``exit_code`` after writing ``lines``; ``event`` is the reason and message of the Event it records."""

    def __init__(self, text: str, lines: list[str], exit_code: int = 1, event: tuple[str, str] | None = None) -> None:
        super().__init__(text)
        self.lines, self.exit_code, self.event = lines, exit_code, event


def check(pod: ControlPlanePod) -> None:
    """Raise Invalid for a command line that the program of this pod exits on."""
    _check_known(pod)
    missing = _missing(pod)
    if not missing:
        return
    if pod.role == "bootstrap":
        raise _uninitialised(missing)
    if not pod.own_flag("namespace"):
        # It looks its own pod up first, to record Events about it, and without a namespace there is no such pod.
        error = "the server could not find the requested resource"
        component = f"{pod.program}/main"
        raise Invalid(
            missing,
            [
                line("error", component, f"Error retrieving {pod.program} pod {pod.name}", error=error),
                line("fatal", component, f"Error fetching {pod.program} pod"),
            ],
        )
    raise Invalid(missing, [line("fatal", "kube-events", MESSAGE, error=missing, reason=REASON)], event=(REASON, MESSAGE))


def _check_known(pod: ControlPlanePod) -> None:
    """pflag names the first flag that it does not know, before and after the usage, and exits with 2."""
    known = _known(pod)
    for name in pod.flags:
        if name in known or (pod.product is FSM and not name.startswith("osm-")):
            continue
        unknown = f"unknown flag: --{name}"
        usage = [f"      --{flag}" for flag in sorted(known - {"v"})]
        raise Invalid(unknown, [unknown, f"Usage of {pod.program}:", *usage, unknown], exit_code=2)


def _known(pod: ControlPlanePod) -> frozenset[str]:
    own = {f"{pod.product.prefix}-{name}" for name in _OWN}
    newer = _SINCE_1_2 if (pod.version or Version(1, 2)) >= Version(1, 2) else frozenset()
    return _COMMON | newer | _OF_ROLE[pod.role] | own


def _missing(pod: ControlPlanePod) -> str:
    """The error of ``validateCLIParams``: the first parameter that is missing or empty."""
    prefix = pod.product.prefix
    namespace = (f"{prefix}-namespace", f"Please specify the {prefix.upper()} namespace using --{prefix}-namespace")
    mesh = ("mesh-name", "Please specify the mesh name using --mesh-name")
    bundle = ("ca-bundle-secret-name", "Please specify the CA bundle secret name using --ca-bundle-secret-name")
    validator = ("validator-webhook-config", "Please specify the webhook configuration name using --validator-webhook-config")
    injector = ("webhook-config-name", "Please specify the mutatingwebhookconfiguration name using --webhook-config-name value")
    wanted = {
        "bootstrap": [namespace],
        "controller": [mesh, namespace, validator, bundle],
        "injector": [mesh, namespace, injector, bundle],
    }
    return next((text for flag, text in wanted[pod.role] if not pod.flags.get(flag)), "")


def _uninitialised(missing: str) -> Invalid:
    """The bootstrap's recorder of Events has no watcher at this point: reading from it is a nil dereference, so that the log has
    no line with the reason, only the warning and the panic.
    """
    return Invalid(
        missing,
        [
            line("warn", "kube-events", "EventRecorder is uninitialized"),
            "panic: runtime error: invalid memory address or nil pointer dereference",
            "[signal SIGSEGV: segmentation violation]",
            "",
            "goroutine 1 [running]:",
            "github.com/openservicemesh/osm/pkg/k8s/events.(*EventRecorder).waitForFatalEvent(...)",
            "github.com/openservicemesh/osm/pkg/k8s/events.(*EventRecorder).FatalEvent(...)",
        ],
        exit_code=2,
    )
