# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The annotations that tell Prometheus to scrape the sidecar of a pod. Pure."""

from __future__ import annotations

from collections.abc import Mapping

# What the injector and "osm metrics enable" write into a pod (osm-edge v1.3.9 pkg/constants/constants.go, cmd/cli/metrics_enable.go).
SCRAPE = {"prometheus.io/scrape": "true", "prometheus.io/port": "15010", "prometheus.io/path": "/stats/prometheus"}


def scrape_patch(annotations: Mapping[str, str], scrape: bool) -> dict[str, str | None]:
    """Return the annotations of a pod that are to change, None to remove one; nothing when it is as it is wanted.

    They are removed only when they are exactly those of the mesh: other values are the application's own.
    """
    if scrape:
        return {key: value for key, value in SCRAPE.items() if annotations.get(key) != value}
    ours = all(annotations.get(key) == value for key, value in SCRAPE.items())
    return dict.fromkeys(SCRAPE) if ours else {}
