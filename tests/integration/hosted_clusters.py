# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A management cluster for tests, and hosted clusters on it that are there when a test asks for them.

def test_x(management_cluster: ManagementCluster) -> None:
    prod = management_cluster.hosted(shape_of_size("prod", 6))                # all objects, nothing behind them
    real = management_cluster.hosted(shape_of_size("live", 3), real=Image())  # with an API server and a TLS etcd
    prod.bed.cluster.kubectl("get", "hc", "-n", prod.shape.namespace)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hosted.aws import Aws
from hosted.bed import Bed, Hosted
from hosted.etcd_image import Image
from hosted.shape import Shape
from sandboxlib.cluster import Cluster
from sandboxlib.options import Options


@dataclass
class ManagementCluster:
    """One management cluster for a whole run, brought up by the first test that needs it."""

    cluster: Cluster
    _there: dict[str, tuple[Hosted, Image | None, int]] = field(default_factory=dict)
    _bed: Bed | None = None
    _aws: Aws | None = None
    _buckets: set[str] = field(default_factory=set)

    @property
    def bed(self) -> Bed:
        """The management cluster with HyperShift's types and operator."""
        if self._bed is None:
            self.cluster.up(Options(hosted="-"))
            self._bed = Bed(self.cluster)
            self._bed.install()
        return self._bed

    @property
    def aws(self) -> Aws:
        """AWS for it, without faults; it ends with the cluster. Each test has a bucket of its own."""
        self.bed.install()
        if self._aws is None:
            self._aws = Aws(self.cluster)
            self._aws.start()
        self._aws.clear()
        return self._aws

    def bucket(self, name: str, **options: Any) -> str:
        """A bucket of that name, made when it is not there."""
        if name not in self._buckets:
            self.aws.create_bucket(name, **options)
            self._buckets.add(name)
        return name

    def hosted(self, shape: Shape, real: Image | None = None) -> Hosted:
        """The hosted cluster of that shape, as it is made: the one that is there if nobody has changed anything since."""
        found = self._there.get(shape.annotated)
        if found:
            hosted, image, since = found
            if hosted.shape == shape and image == real and not self._changed(hosted, since):
                return hosted
            self.remove(hosted)
        hosted = self.bed.add(shape, real=real)
        if shape.control_plane:
            hosted.wait_for_pods()
        self._there[shape.annotated] = (hosted, real, self.cluster.mark())
        return hosted

    def _changed(self, hosted: Hosted, since: int) -> bool:
        own = (hosted.shape.namespace, hosted.shape.control_plane_namespace)
        return any(event.namespace in own for event in self.cluster.writes_since(since))

    def remove(self, hosted: Hosted) -> None:
        """Take it away again."""
        del self._there[hosted.shape.annotated]
        self.bed.remove(hosted)

    def remove_real(self) -> None:
        """Take away those that have processes of their own."""
        for hosted, image, _since in list(self._there.values()):
            if image is not None:
                self.remove(hosted)
