# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers of API servers and the exceptions they become; the messages are those of Kubernetes 1.31 to 1.34."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube import errors
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import (
    AdmissionDenied,
    Call,
    Forbidden,
    KubeError,
    error_of_answer,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError, WriteConflict
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.objects import ObjectRef

REF = ObjectRef("Deployment", "osm-controller", "osm-system")
CALL = Call("patch", str(REF), "/apis/apps/v1/namespaces/osm-system/deployments/osm-controller", "https://10.0.0.1:6443", REF)


def answer(status: int, reason: str = "", message: str = "", **details: Any) -> KubeError:
    body = {"kind": "Status", "status": "Failure", "reason": reason, "message": message, "details": details, "code": status}
    return error_of_answer(CALL, status, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("status", "reason", "expected"),
    [
        (400, "BadRequest", errors.Invalid),
        (401, "Unauthorized", errors.Unauthorized),
        (403, "Forbidden", errors.Forbidden),
        (404, "NotFound", errors.NotFound),
        (409, "AlreadyExists", errors.AlreadyExists),
        (409, "Conflict", errors.Conflict),
        (410, "Expired", errors.Gone),
        (410, "Gone", errors.Gone),
        (422, "Invalid", errors.Invalid),
        (429, "TooManyRequests", errors.Throttled),
        (500, "InternalError", errors.ServerFailure),
        (503, "ServiceUnavailable", errors.ServerFailure),
        (504, "Timeout", errors.ServerFailure),
        (418, "", KubeError),
    ],
)
def test_each_status_has_its_class(status: int, reason: str, expected: type[KubeError]) -> None:
    error = answer(status, reason, "because")
    assert error.__class__ is expected
    assert isinstance(error, LifecycleError)
    assert (error.status, error.reason, error.message, error.verb, error.object) == (status, reason, "because", "patch", REF)
    for word in ("Cannot patch Deployment osm-system/osm-controller on https://10.0.0.1:6443", str(status), reason, "because"):
        assert word in str(error)
    assert error.next
    assert error.uncertain is (status >= 500)


def test_conflicts_are_what_the_engine_plans_again() -> None:
    assert issubclass(errors.Conflict, WriteConflict)
    assert issubclass(errors.AlreadyExists, WriteConflict)
    owned = answer(
        409,
        "Conflict",
        'Apply failed with 1 conflict: conflict with "kubectl": .data.n',
        causes=[{"reason": "FieldManagerConflict", "message": 'conflict with "kubectl"', "field": ".data.n"}],
    )
    assert owned.__class__ is errors.FieldManagerConflict
    assert not isinstance(owned, WriteConflict)


@pytest.mark.parametrize(
    ("message", "missing"),
    [
        (
            'x is forbidden: User "ci" cannot patch resource "deployments" in API group "apps" in the namespace "osm-system"',
            "patch deployments.apps in namespace osm-system",
        ),
        ('nodes is forbidden: User "ci" cannot list resource "nodes" in API group "" at the cluster scope', "list nodes cluster-wide"),
        ('pods "x" is forbidden: exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1', ""),
    ],
)
def test_forbidden_names_the_missing_rule(message: str, missing: str) -> None:
    error = answer(403, "Forbidden", message)
    assert isinstance(error, Forbidden)
    assert error.missing == missing
    assert ("grant ci the permission to " + missing in error.next) is bool(missing)


@pytest.mark.parametrize(
    ("status", "message", "webhook", "unavailable"),
    [
        (403, 'admission webhook "osm-validator.k8s.io" denied the request: wrong', "osm-validator.k8s.io", False),
        (
            500,
            'Internal error occurred: failed calling webhook "osm-inject.k8s.io": failed to call webhook: Post "https://x": dial tcp',
            "osm-inject.k8s.io",
            True,
        ),
        (
            422,
            "configmaps \"x\" is forbidden: ValidatingAdmissionPolicy 'no-x' with binding 'no-x' denied request: not this name",
            "no-x",
            False,
        ),
    ],
)
def test_admission_is_named_and_nothing_was_done(status: int, message: str, webhook: str, unavailable: bool) -> None:
    error = answer(status, "", message)
    assert isinstance(error, AdmissionDenied)
    assert (error.webhook, error.unavailable, error.uncertain) == (webhook, unavailable, False)
    assert webhook in error.next
    assert error.details["webhook"] == webhook


def test_an_answer_that_is_no_status_is_cut() -> None:
    error = error_of_answer(CALL, 502, b"<html>\n  <body>Bad   Gateway</body>" + b"x" * 9000)
    assert error.message.startswith("<html> <body>Bad Gateway</body>")
    assert len(error.message) == 300
    assert error_of_answer(CALL, 500, b"\xff\xfe").status == 500
    assert error_of_answer(CALL, 500, b"[]").message == "[]"
