# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a request is sent again: always on the same terms, and always within one budget of time."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import (
    AdmissionDenied,
    BudgetExhausted,
    Call,
    KubeError,
    Unreachable,
    error_of_answer,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.transport import Answer, AnswerLost, NotSent
from ansible_collections.meshops.lifecycle.plugins.module_utils._procedure.deadline import Deadline

CONNECT_SECONDS = 5.0
_FIRST_DELAY, _LONGEST_DELAY = 0.25, 8.0
# An address that never answered is more likely wrong than restarting; a webhook that is down stays down for a while.
_PATIENCE_WITH_STRANGERS, _PATIENCE_WITH_WEBHOOKS = 3, 3
# apiextensions-apiserver pkg/apiserver/conversion/webhook_converter.go
_DEAD_CONVERSION = "conversion webhook for "


def send(
    call: Call,
    exchange: Callable[[float, float], Answer],
    *,
    repeatable: bool,
    budget: float,
    known: bool,
    sleep: Callable[[float], None] = time.sleep,
) -> Answer:
    """Return the good answer to ``call``, or raise a KubeError.

    ``exchange`` takes the connect and read timeouts in seconds. ``repeatable`` says that sending the request twice does no
    harm; one that is not repeatable is only sent again when it surely was not carried out (never sent, HTTP 429), and its
    KubeError has ``uncertain`` set otherwise. ``budget`` is the time for all attempts. ``known`` says that the server has
    answered before. An error that came after an attempt with a lost answer has ``after_lost_answer`` set.
    """
    deadline = Deadline(budget)
    lost = False
    attempt = 0
    while True:
        attempt += 1
        wait: float | None = None
        error: KubeError
        try:
            answer = exchange(min(CONNECT_SECONDS, deadline.remaining()), max(0.001, deadline.remaining()))
        except NotSent as failure:
            error = Unreachable(call, reason=str(failure))
            again = not failure.permanent and (known or attempt < _PATIENCE_WITH_STRANGERS)
        except AnswerLost as failure:
            error = Unreachable(call, reason=f"the answer was lost: {failure}", uncertain=True)
            again = repeatable and (known or attempt < _PATIENCE_WITH_STRANGERS)
        else:
            if answer.status < 300:
                return answer
            error = error_of_answer(call, answer.status, answer.body)
            again = _may_repeat(error, repeatable, attempt)
            wait = retry_after(answer.headers)
        error.after_lost_answer, lost = lost, lost or error.uncertain
        delay = wait if wait is not None else min(_LONGEST_DELAY, _FIRST_DELAY * 2 ** (attempt - 1)) * random.uniform(0.5, 1.0)
        if not again or delay >= deadline.remaining():
            if attempt > 1:
                error.details["attempts"] = attempt
            raise error
        sleep(delay)


def _may_repeat(error: KubeError, repeatable: bool, attempt: int) -> bool:
    if isinstance(error, BudgetExhausted):
        return False
    if error.status == 429:
        return True
    if isinstance(error, AdmissionDenied):
        return error.unavailable and attempt < _PATIENCE_WITH_WEBHOOKS
    if _DEAD_CONVERSION in error.message:
        return repeatable and attempt < _PATIENCE_WITH_WEBHOOKS
    return repeatable and (error.status in (500, 502, 503, 504) or "etcdserver: leader changed" in error.message)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of a Retry-After header, or None (the API server sends seconds, never a date)."""
    try:
        return max(0.0, float(headers["retry-after"]))
    except (KeyError, ValueError):
        return None
