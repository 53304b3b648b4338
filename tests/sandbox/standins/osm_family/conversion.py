# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The conversion webhook of osm-edge 1.1: it changes nothing but the version's name.

Source: osm-edge v1.1.0 pkg/crdconversion/crdconversion.go (``apiKindToPath``: MeshConfig only, ``updateCrdConfiguration``),
framework.go and config_meshconfig_conversion.go. Removed in 1.2.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from .api import Api, Object
from .crds import DEFINITIONS
from .pods import ControlPlanePod

CONVERSION_PORT = 9443
_DEFINITION = "meshconfigs.config.openservicemesh.io"


def set_conversion(api: Api, pod: ControlPlanePod, authority: bytes) -> None:
    """Let the API server ask this pod's Service for conversions."""
    found = api.get(f"{DEFINITIONS}/{_DEFINITION}")
    service = {
        "namespace": pod.namespace,
        "name": pod.product.program("bootstrap"),
        "port": CONVERSION_PORT,
        "path": "/convert/meshconfig",
    }
    found["spec"]["conversion"] = {
        "strategy": "Webhook",
        "webhook": {
            "clientConfig": {"service": service, "caBundle": b64encode(authority).decode("ascii")},
            "conversionReviewVersions": ["v1beta1", "v1"],
        },
    }
    api.update(f"{DEFINITIONS}/{_DEFINITION}", found)


def convert(request: Object) -> Object:
    """Answer one ConversionReview."""
    wanted = request["desiredAPIVersion"]
    objects: list[dict[str, Any]] = []
    for item in request["objects"]:
        if item["apiVersion"] == wanted:
            message = f"MeshConfig: conversion from a version to itself should not call the webhook: {wanted}"
            return {"uid": request["uid"], "result": {"status": "Failure", "message": message}}
        objects.append(item | {"apiVersion": wanted})
    return {"uid": request["uid"], "convertedObjects": objects, "result": {"status": "Success"}}
