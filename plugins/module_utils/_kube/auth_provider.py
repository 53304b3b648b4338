# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ``auth-provider`` of a kubeconfig (oidc, gcp, …): kubectl has dropped it, the Python client still knows it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.kubeconfig_files import Chosen
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.errors import LifecycleError

_OLDEST_CLIENT = "24.2"


def provider_authorization(chosen: Chosen, source: str | Mapping[str, Any], *, persist: bool, scratch: str) -> Callable[[], str]:
    """Return the authorization of an ``auth-provider`` (oidc, gcp, …), which kubectl has dropped: the Python client does it all.

    Only here is that client imported: that takes more time than everything else before the first request. It may leave files
    in ``scratch``, and writes a renewed token into the kubeconfig when ``persist`` is set.
    """
    try:
        import kubernetes.client
        import kubernetes.config
    except ImportError as error:
        raise LifecycleError(
            f"A Python library is missing: kubernetes>={_OLDEST_CLIENT}",
            why=f"context {chosen.context} of {chosen.where} has an auth-provider, which only that library knows",
            next=f"install it for the interpreter of the modules: pip install 'kubernetes>={_OLDEST_CLIENT}'",
        ) from error
    configuration = kubernetes.client.Configuration()
    options = {"context": chosen.context, "client_configuration": configuration, "persist_config": persist}
    with _temporary_files_in(scratch):
        try:
            if isinstance(source, Mapping):
                kubernetes.config.load_kube_config_from_dict(dict(source), **options)
            else:
                kubernetes.config.load_kube_config(source, **options)
        except Exception as error:
            # Whatever a provider's own libraries raise.
            raise chosen.unusable(str(error)) from error

    def current() -> str:
        if configuration.refresh_api_key_hook is not None:
            configuration.refresh_api_key_hook(configuration)
        # The key's name changed from "authorization" to "BearerToken" in the Python client.
        token = configuration.api_key.get("authorization") or configuration.api_key.get("BearerToken") or ""
        return " ".join(str(token).split())

    return current


@contextmanager
def _temporary_files_in(directory: str) -> Iterator[None]:
    """Keep the Python client's certificate files out of the shared /tmp (it has no parameter for that before 26)."""
    before = tempfile.tempdir
    tempfile.tempdir = directory
    try:
        yield
    finally:
        tempfile.tempdir = before
