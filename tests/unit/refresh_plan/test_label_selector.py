# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Label selectors as text."""

from __future__ import annotations

import pytest

from ansible_collections.meshops.lifecycle.plugins.module_utils._workloads.label_selector import fits

LABELS = {"app": "shop", "example.com/tier": "front", "rank": "7", "index": "x"}


@pytest.mark.parametrize(
    "selector",
    [
        "",
        "app",
        "app=shop",
        "app==shop",
        "app = shop",
        "app=shop,example.com/tier=front",
        "app!=mail",
        "team!=a",
        "!team",
        "! team",
        "app in (mail, shop)",
        "app in (shop),rank",
        "app notin (mail,stock)",
        "team notin (a)",
        "rank>6",
        "rank<8",
    ],
)
def test_it_fits(selector: str) -> None:
    assert fits(selector, LABELS)


@pytest.mark.parametrize(
    "selector",
    [
        "team",
        "app=mail",
        "app=shop,team=a",
        "app=",
        "app!=shop",
        "!app",
        "app in (mail,stock)",
        "team in (a)",
        "app notin (shop)",
        "app in (shop,mail),!rank",
        "rank>7",
        "rank<7",
        "index>1",
        "team<1",
    ],
)
def test_it_does_not_fit(selector: str) -> None:
    assert not fits(selector, LABELS)
