# Copyright: (c) 2026, meshops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands in containers over real WebSockets: what comes back, how it ends, and every way in which it does not end."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.meshops.lifecycle.plugins.module_utils._kube import exec as exec_module
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube import exec_channel
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.connection import connect
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.errors import (
    Forbidden,
    KubeError,
    NotFound,
    ServerFailure,
    Unreachable,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.exec import (
    ExecCutOff,
    ExecFailed,
    ExecNotRun,
    ExecResult,
    ExecTimedOut,
    ExecUnanswered,
    PodExec,
    exit_code,
)
from ansible_collections.meshops.lifecycle.plugins.module_utils._kube.transport import NotSent

from .exec_server import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    SUCCESS,
    Client,
    Deed,
    ExecServer,
    ended,
    frame,
    internal_error,
    status_frame,
)
from .test_tls import sign

DONE = status_frame(SUCCESS) + frame(b"", CLOSE)


class Caller(NamedTuple):
    params: dict[str, Any]
    tmpdir: str
    name: str = "hosted_cluster_backup"


class Bench:
    """Servers that do what a test wants, and commands that are run on them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.servers: list[ExecServer] = []

    def server(self, *deeds: Deed, context: ssl.SSLContext | None = None) -> ExecServer:
        self.servers.append(ExecServer(*deeds, context=context))
        return self.servers[-1]

    def pods(self, *deeds: Deed, **options: Any) -> PodExec:
        params = {"host": self.server(*deeds).url if deeds else "", "api_key": "token-1", **options}
        directory = self.directory / str(len(self.servers))
        directory.mkdir()
        return PodExec(connect(Caller(params, str(directory)), explicit=True))

    def run(self, *deeds: Deed, command: tuple[str, ...] = ("cat", "/x"), timeout: float = 20, repeatable: bool = False) -> ExecResult:
        return self.pods(*deeds).run("ns", "etcd-0", "etcd", command, timeout=timeout, repeatable=repeatable)

    def streamed(self, *deeds: Deed, timeout: float = 20) -> Iterator[bytes]:
        with self.pods(*deeds).stream("ns", "etcd-0", "etcd", ["cat", "/x"], timeout=timeout) as pieces:
            yield from pieces

    @property
    def asked(self) -> int:
        return len(self.servers[-1].clients)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(exec_module, "_PAUSE_SECONDS", 0.01)
    made = Bench(tmp_path)
    yield made
    for server in made.servers:
        server.close()


def out(*frames: bytes) -> Deed:
    """Accept, send these frames, end."""

    def deed(client: Client) -> None:
        client.out(*frames)

    return deed


def refusal(status: int, reason: str, message: str, **headers: str) -> Deed:
    def deed(client: Client) -> None:
        client.answer(status, {"kind": "Status", "reason": reason, "message": message}, **headers)

    return deed


def test_output_in_bytes_and_the_question(bench: Bench) -> None:
    found = bench.run(
        out(frame(b"\x01a\xff\x00"), frame(b"\x02oh "), frame(b"\x01"), frame(b"\x01b\n"), frame(b"\x02no\n"), DONE),
        command=("a b", "&x=1"),
    )
    assert found == ExecResult(b"a\xff\x00b\n", "oh no", 0)
    (client,) = bench.servers[0].clients
    assert (client.method, client.path) == ("GET", "/api/v1/namespaces/ns/pods/etcd-0/exec")
    assert client.query == [("container", "etcd"), ("stdout", "true"), ("stderr", "true"), ("command", "a b"), ("command", "&x=1")]
    assert client.headers["authorization"] == "bearer token-1"
    assert client.headers["sec-websocket-protocol"] == "v4.channel.k8s.io"
    assert "origin" not in client.headers


STATUSES = [
    (SUCCESS, 0),
    (ended(3), 3),
    (internal_error("error executing command in container: cmd wait: sh -c false: exit status 1"), 1),
    (internal_error('error executing command in container: exec: "x": executable file not found in $PATH'), 127),
    (internal_error("error executing command in container: fork/exec /x: no such file or directory"), 127),
    (internal_error("error executing command in container: cmd wait: sh: signal: killed"), None),
    (internal_error('unable to upgrade connection: container not found ("etcd")'), None),
    ({"status": "Failure", "reason": "NonZeroExitCode", "details": {"causes": []}}, None),
    ({}, None),
]


@pytest.mark.parametrize(("status", "code"), STATUSES)
def test_exit_codes(status: dict[str, Any], code: int | None) -> None:
    assert exit_code(status) == code


@pytest.mark.parametrize(("status", "code"), [(status, code) for status, code in STATUSES if code is not None])
def test_any_exit_code_is_an_answer(bench: Bench, status: dict[str, Any], code: int) -> None:
    found = bench.run(out(frame(b"\x01some"), frame(b"\x02said"), status_frame(status)))
    assert found == ExecResult(b"some", "said", code)


def test_a_program_that_is_not_there_is_named(bench: Bench) -> None:
    found = bench.run(out(status_frame(internal_error('exec: "etcdctl": executable file not found in $PATH'))))
    assert (found.exit_code, '"etcdctl"' in found.stderr) == (127, True)


def test_what_could_not_be_run(bench: Bench) -> None:
    with pytest.raises(ExecNotRun, match="signal: killed") as failed:
        bench.run(out(status_frame(internal_error("cmd wait: sh: signal: killed"))))
    assert bench.asked == 1
    assert failed.value.object is not None
    assert str(failed.value.object) == "Pod ns/etcd-0"
    assert "`cat /x` in container etcd of Pod ns/etcd-0" in failed.value.msg


def test_what_surely_did_not_start_is_tried_again(bench: Bench) -> None:
    dead = out(status_frame(internal_error("error dialing backend: dial tcp 10.0.0.1:10250: connect: connection refused")))
    assert bench.run(dead, dead, out(frame(b"\x01x"), DONE)).stdout == b"x"
    assert bench.asked == 3
    with pytest.raises(ExecNotRun, match="error dialing backend"):
        bench.run(dead)
    assert bench.asked == 3


def test_a_kubelet_that_is_not_reached_is_tried_again_for_a_while(bench: Bench) -> None:
    dead = refusal(500, "", "error dialing backend: dial tcp 10.0.0.1:10250: connect: connection refused")
    assert bench.run(dead, out(frame(b"\x01x"), DONE)).stdout == b"x"
    with pytest.raises(ExecNotRun, match="error dialing backend"):
        bench.run(dead, repeatable=True)
    assert bench.asked == 3


def half(client: Client) -> None:
    """Tell of a frame of 1000 bytes and send ten."""
    client.out(frame(b"\x01" + b"x" * 999)[:14])


def broken(client: Client) -> None:
    """Send something and break the connection."""
    client.out(frame(b"\x01some"))
    client.reset()


CUT_OFF = [
    pytest.param(out(frame(b"\x01some")), id="end"),
    pytest.param(out(frame(b"\x01some"), frame(b"", CLOSE)), id="closed"),
    pytest.param(out(frame(b"\x01some"), frame(b'\x03{"status":"Succ')), id="half a status"),
    pytest.param(half, id="half a frame"),
    pytest.param(broken, id="reset"),
    pytest.param(out(), id="nothing"),
    pytest.param(out(frame(b"\x01some"), frame(b"x", CONTINUATION)), id="nonsense"),
]


@pytest.mark.parametrize("deed", CUT_OFF)
def test_an_end_without_a_status_is_an_error(bench: Bench, deed: Deed) -> None:
    with pytest.raises(ExecCutOff) as cut:
        bench.run(deed)
    assert cut.value.uncertain
    assert bench.asked == 1
    with pytest.raises(ExecCutOff):
        list(bench.streamed(deed))


def test_what_may_be_run_twice_is_run_again_when_it_was_cut_off(bench: Bench) -> None:
    assert bench.run(out(frame(b"\x01ha")), half, out(frame(b"\x01half"), DONE), repeatable=True).stdout == b"half"
    with pytest.raises(ExecCutOff):
        bench.run(half, repeatable=True)
    assert bench.asked == 3


def test_a_stream_comes_in_pieces_and_ends_well_or_raises(bench: Bench) -> None:
    assert list(bench.streamed(out(frame(b"\x01a"), frame(b"\x02warning"), frame(b"\x01b"), DONE))) == [b"a", b"b"]
    pieces: list[bytes] = []
    with pytest.raises(ExecFailed, match="exit code 1: cat: /x: No such file") as failed:
        pieces.extend(bench.streamed(out(frame(b"\x01a"), frame(b"\x02cat: /x: No such file\n"), status_frame(ended(1)))))
    assert (failed.value.exit_code, failed.value.stderr) == (1, "cat: /x: No such file")
    with pytest.raises(ExecNotRun):
        list(bench.streamed(out(status_frame(internal_error("signal: killed")))))


def test_leaving_a_stream_ends_its_connection(bench: Bench) -> None:
    left = threading.Event()

    def deed(client: Client) -> None:
        client.out(frame(b"\x01a"))
        client.gone()
        left.set()

    with bench.pods(deed).stream("ns", "etcd-0", "etcd", ["cat", "/x"], timeout=60) as pieces:
        assert next(pieces) == b"a"
    assert left.wait(30)


def silent(client: Client) -> None:
    """Say nothing until the client goes."""
    client.out(frame(b"\x01a"))
    client.gone()


def trickling(client: Client) -> None:
    """Send a large frame byte by byte, for ever."""
    client.accept()
    client.send(frame(b"\x01" + b"x" * 100_000)[:20])
    while True:
        client.send(b"x")
        client.socket.settimeout(0.02)
        try:
            if not client.socket.recv(100):
                return
        except TimeoutError:
            pass


def no_handshake(client: Client) -> None:
    """Do not even answer the request."""
    client.gone()


@pytest.mark.parametrize("deed", [silent, trickling])
def test_nothing_waits_longer_than_it_may(bench: Bench, deed: Deed) -> None:
    with pytest.raises(ExecTimedOut, match="had not ended"):
        bench.run(deed, timeout=0.5, repeatable=True)
    assert bench.asked == 1
    with pytest.raises(ExecTimedOut):
        list(bench.streamed(deed, timeout=0.5))


@pytest.mark.parametrize(("timeout", "handshake"), [(0.5, 60), (60, 0.5)])
def test_a_handshake_that_is_not_answered_ends(bench: Bench, timeout: float, handshake: float) -> None:
    pods = bench.pods(no_handshake)
    with pytest.raises(ExecUnanswered, match=r"no answer within 0\.\d+ s \(is the pod's node there") as lost:
        pods.run("ns", "etcd-0", "etcd", ["ls"], timeout=timeout, repeatable=True, handshake=handshake)
    assert lost.value.uncertain
    assert ("time is over" in lost.value.message) is (timeout < handshake)
    assert "node of the pod" in lost.value.next
    assert bench.asked == 1


def test_what_has_no_time_left_is_not_begun(bench: Bench) -> None:
    with pytest.raises(ExecTimedOut, match="the time was over before it was begun") as late:
        bench.run(no_handshake, timeout=0)
    assert not late.value.uncertain
    assert bench.asked == 0


def test_a_connection_that_only_the_deadline_has_ended_is_no_wrong_address(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(_pool: object, _url: str, seconds: float) -> None:
        time.sleep(seconds)
        raise NotSent("timed out")

    monkeypatch.setattr(exec_module, "open_socket", slow)
    with pytest.raises(ExecTimedOut, match=r"the time was over while it was begun \(timed out\)"):
        bench.run(no_handshake, timeout=0.2)


def test_a_silent_connection_is_kept_alive(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exec_channel, "_PING_SECONDS", 0.05)
    seen: list[int] = []

    def deed(client: Client) -> None:
        client.accept()
        for _number in range(3):
            seen.append(client.receive())
            client.send(frame(b"", PONG))
        # The server's own pings are answered, too.
        client.send(frame(b"hi", PING))
        while seen[-1] != PONG:
            seen.append(client.receive())
        client.send(frame(b"\x01late") + DONE)

    assert bench.run(deed).stdout == b"late"
    assert seen[:3] == [PING] * 3


def test_a_dead_connection_is_noticed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exec_channel, "_PING_SECONDS", 0.05)
    monkeypatch.setattr(exec_channel, "_SILENCE_SECONDS", 0.2)
    with pytest.raises(ExecCutOff, match="no sign of life") as cut:
        bench.run(silent, timeout=600)
    assert not isinstance(cut.value, ExecTimedOut)


def test_the_status_is_the_end_even_if_the_connection_stays(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exec_channel, "_CLOSING_SECONDS", 0.2)

    def deed(client: Client) -> None:
        client.out(frame(b"\x01a"), status_frame(ended(4)), frame(b"\x01b"))
        client.gone()

    assert bench.run(deed) == ExecResult(b"ab", "", 4)


def test_who_may_not_is_told_both_permissions(bench: Bench) -> None:
    message = 'pods "etcd-0" is forbidden: User "jane" cannot get resource "pods/exec" in API group "" in the namespace "ns"'
    with pytest.raises(Forbidden) as refused:
        bench.run(refusal(403, "Forbidden", message))
    assert refused.value.missing == "get pods/exec in namespace ns"
    assert refused.value.next.startswith("grant jane the permissions get and create of pods/exec in namespace ns")
    assert bench.asked == 1


def test_there_is_no_such_pod(bench: Bench) -> None:
    with pytest.raises(NotFound, match='pods "etcd-0" not found'):
        bench.run(refusal(404, "NotFound", 'pods "etcd-0" not found'))


def test_a_server_in_trouble_is_asked_again_only_for_what_may_be_run_twice(bench: Bench) -> None:
    trouble = refusal(500, "InternalError", "etcdserver: request timed out")
    well = out(frame(b"\x01x"), DONE)
    assert bench.run(trouble, well, repeatable=True).stdout == b"x"
    with pytest.raises(ServerFailure):
        bench.run(trouble, well)
    assert bench.asked == 1
    # Nothing was started by that one.
    assert bench.run(refusal(429, "TooManyRequests", "later", Retry_After="0"), well).stdout == b"x"


def moved(client: Client) -> None:
    client.answer(302, None, Location="http://127.0.0.1:1/elsewhere")


def strange(client: Client) -> None:
    client.accept("other.protocol")
    client.gone()


@pytest.mark.parametrize(
    ("deed", "text"),
    [
        pytest.param(refusal(200, "", ""), "something between here and the API server", id="no WebSocket"),
        pytest.param(moved, "redirect", id="elsewhere"),
        pytest.param(strange, "invalid WebSocket", id="other protocol"),
    ],
)
def test_answers_of_what_is_no_api_server(bench: Bench, deed: Deed, text: str) -> None:
    with pytest.raises(KubeError, match=text):
        bench.run(deed)
    assert bench.asked == 1


def test_nobody_there(bench: Bench) -> None:
    server = bench.server(silent)
    server.close()
    bench.servers.clear()
    with pytest.raises(Unreachable, match="connection refused"):
        bench.pods(host=server.url).run("ns", "etcd-0", "etcd", ["true"], timeout=1)


# TLS and proxies


@pytest.fixture
def secured(bench: Bench, tmp_path: Path) -> Callable[..., PodExec]:
    """A server that wants a client certificate and calls itself api.internal; the options over the right ones."""
    ca = sign("ca")
    own, client = sign("server", ca, "api.internal"), sign("jane", ca)
    for name, content in (
        ("server", own.pem + own.key_pem),
        ("ca", ca.pem),
        ("client", client.pem),
        ("key", client.key_pem),
        ("other", sign("other").pem),
    ):
        (tmp_path / f"{name}.pem").write_bytes(content)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    context.load_verify_locations(tmp_path / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    server = bench.server(out(frame(b"\x01secret"), DONE), context=context)

    def pods(authority: str = "ca", name: str = "api.internal", proxy: str = "") -> PodExec:
        cluster = {
            "server": server.url,
            "certificate-authority": str(tmp_path / f"{authority}.pem"),
            "tls-server-name": name,
            "proxy-url": proxy,
        }
        user = {"client-certificate": str(tmp_path / "client.pem"), "client-key": str(tmp_path / "key.pem")}
        source = {
            "current-context": "a",
            "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
            "clusters": [{"name": "a", "cluster": {key: value for key, value in cluster.items() if value}}],
            "users": [{"name": "a", "user": user}],
        }
        return bench.pods(kubeconfig=source, host=None, api_key=None)

    return pods


def test_tls_is_that_of_the_connection(secured: Callable[..., PodExec]) -> None:
    assert secured().run("ns", "etcd-0", "etcd", ["cat"], timeout=20).stdout == b"secret"


@pytest.mark.parametrize("wrong", [{"authority": "other"}, {"name": ""}])
def test_a_server_that_is_not_trusted_is_told_nothing(bench: Bench, secured: Callable[..., PodExec], wrong: dict[str, str]) -> None:
    with pytest.raises(Unreachable, match="certificate is not trusted"):
        secured(**wrong).run("ns", "etcd-0", "etcd", ["cat"], timeout=20)
    assert bench.asked == 0


def test_through_a_proxy(bench: Bench, secured: Callable[..., PodExec]) -> None:
    target = bench.servers[0]

    def tunnel(client: Client) -> None:
        import socket

        with socket.create_connection(("127.0.0.1", target.port)) as onward:
            client.send(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=_pass_on, args=(onward, client.socket))
            back.start()
            _pass_on(client.socket, onward)
            back.join()

    proxy = bench.server(tunnel)
    assert secured(proxy=proxy.url).run("ns", "etcd-0", "etcd", ["cat"], timeout=20).stdout == b"secret"
    assert proxy.clients[0].method == "CONNECT"


def _pass_on(source: Any, destination: Any) -> None:
    import socket

    try:
        while data := source.recv(1 << 16):
            destination.sendall(data)
        destination.shutdown(socket.SHUT_WR)
    except OSError:
        pass


# However it is cut into messages and frames


@given(
    st.lists(st.tuples(st.sampled_from([1, 1, 2]), st.binary(max_size=300), st.integers(min_value=1, max_value=300)), max_size=12),
    st.integers(min_value=1, max_value=50),
)
@settings(max_examples=40, deadline=None)
def test_every_byte_arrives(tmp_path_factory: pytest.TempPathFactory, messages: list[tuple[int, bytes, int]], step: int) -> None:
    sent = b""
    for channel, data, cut in messages:
        whole = bytes([channel]) + data
        parts = [whole[start : start + cut] for start in range(0, len(whole), cut)]
        for number, part in enumerate(parts):
            sent += frame(part, CONTINUATION if number else BINARY, last=number == len(parts) - 1)
    sent += DONE

    def deed(client: Client) -> None:
        client.accept()
        for start in range(0, len(sent), step * 40):
            client.send(sent[start : start + step * 40])

    bench = Bench(tmp_path_factory.mktemp("bench"))
    try:
        found = bench.run(deed)
    finally:
        bench.servers[0].close()
    assert found.stdout == b"".join(data for channel, data, _cut in messages if channel == 1)
    assert found.exit_code == 0
