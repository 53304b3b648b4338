# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which findings of a preflight an onboarding settles itself."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshops.lifecycle.plugins.filter.onboard_findings import onboard_findings


def finding(code: str) -> dict[str, Any]:
    """An error about a Namespace."""
    about = {"kind": "Namespace", "namespace": "", "name": "shop"}
    return {"severity": "error", "code": code, "object": about, "what": "is so", "why": "y", "remedy": "r"}


@pytest.mark.parametrize(
    ("code", "options", "severity"),
    [
        ("host-network", {}, "error"),
        ("host-network", {"accept": ["host-network"]}, "info"),
        ("namespace-ignored", {}, "info"),
        ("other-mesh", {}, "error"),
        ("other-mesh", {"allow_move": True}, "info"),
        ("api-server-access", {}, "error"),
        ("api-server-access", {"api_server_access": "exclude_ip"}, "info"),
        ("api-server-access", {"api_server_access": "egress"}, "info"),
        ("api-server-in-mesh", {"api_server_access": "exclude_ip"}, "info"),
        ("api-server-in-mesh", {"api_server_access": "egress"}, "error"),
    ],
)
def test_severity(code: str, options: dict[str, Any], severity: str) -> None:
    (told,) = onboard_findings([finding(code)], **options)
    assert told["severity"] == severity
    assert told["remedy"].startswith("nothing: ") is (severity == "info")


def test_what_is_a_sentence_with_its_object() -> None:
    workload = {**finding("c"), "object": {"kind": "Deployment", "namespace": "shop", "name": "cart"}}
    assert [told["what"] for told in onboard_findings([finding("c"), workload])] == ["Namespace shop is so", "Deployment shop/cart is so"]
