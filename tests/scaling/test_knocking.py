"""What is said of an address before Ray waits for it, held against a server that answers as the head of a cluster."""

import os
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace

import grpc
import pytest

from transfer.errors import TrainingError
from transfer.scaling import clusters
from transfer.scaling.knocking import knock


@contextmanager
def head(token=None, method="/ray.rpc.NodeInfoGcsService/CheckAlive"):
    def answer(_, context):
        if token and ("authorization", f"Bearer {token}") not in context.invocation_metadata():
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "InvalidAuthToken")
        return b""

    class Methods(grpc.GenericRpcHandler):
        def service(self, details):
            return grpc.unary_unary_rpc_method_handler(answer) if details.method == method else None

    server = grpc.server(ThreadPoolExecutor(1), handlers=[Methods()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None)


def test_a_cluster_that_wants_no_token_is_shown_none():
    with head() as address:
        assert knock(address, {"RAY_AUTH_TOKEN": "x"}) is False


def test_the_token_is_found_where_ray_looks_for_it(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("abc\n")
    (tmp_path / "other").write_text("abd")
    with head("abc") as address:
        assert knock(address, {}) is True
        assert knock(address, {"RAY_AUTH_TOKEN_PATH": str(tmp_path / ".ray" / "auth_token")}) is True
        for other in ({"RAY_AUTH_TOKEN": "abd"}, {"RAY_AUTH_TOKEN_PATH": str(tmp_path / "other")}):
            with pytest.raises(TrainingError) as caught:
                knock(address, other)
            assert caught.value.problems[0].found == "another one"


@pytest.mark.parametrize(
    ("environment", "found", "said"),
    [
        ({}, "none", "auth_token"),
        ({"RAY_AUTH_TOKEN": "abc", "RAY_AUTH_MODE": "disabled"}, "RAY_AUTH_MODE=disabled", "RAY_AUTH_MODE"),
    ],
)
def test_a_token_that_is_not_there_is_told_with_where_it_is(environment, found, said, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    with head("abc") as address, pytest.raises(TrainingError) as caught:
        knock(address, environment)
    assert caught.value.problems[0].found == found
    assert said in caught.value.next_step


def test_nothing_and_something_else_are_told_apart_in_moments():
    silent = socket.create_server(("127.0.0.1", 0))
    closed = socket.create_server(("127.0.0.1", 0))
    free = "{}:{}".format(*closed.getsockname())
    closed.close()
    with silent, head(method="/another") as other:
        for address, found in (
            (free, "refused"),
            ("{}:{}".format(*silent.getsockname()), "no answer"),
            (other, "6379"),
            ("ray://127.0.0.1:10001", "Ray Client"),
            ("127.0.0.1", "another form"),
            ("", "another form"),
            ("host:port", "another form"),
        ):
            with pytest.raises(TrainingError, match="No Ray cluster answers") as caught:
                knock(address, {}, seconds=0.5)
            assert found in caught.value.problems[0].found


@pytest.mark.parametrize(
    ("address", "said", "expected"),
    [(None, None, "local"), (None, "HEAD", "HEAD"), ("local", "HEAD", "local"), ("HEAD", "127.0.0.1:1", "HEAD")],
)
def test_what_runs_on_this_machine_is_not_joined_unasked_and_tokens_are_shown_for_that_while(
    address, said, expected, monkeypatch
):
    seen = []

    class Ray:
        Config = SimpleNamespace(initialize=lambda _: seen.append(os.environ.get("RAY_AUTH_MODE")))
        _worker_logs_enabled = True

        def is_initialized(self):
            return False

        def init(self, address, **_):
            seen.append((address, os.environ.get("RAY_AUTH_MODE")))

        def shutdown(self):
            seen.append("shutdown")

    ray = Ray()
    monkeypatch.setattr(clusters, "load_ray", lambda _="ray": ray)
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    monkeypatch.setenv("RAY_AUTH_TOKEN", "abc")
    with head("abc") as running:
        monkeypatch.setenv("RAY_ADDRESS", said.replace("HEAD", running) if said else "")
        with clusters.cluster(address and address.replace("HEAD", running)):
            pass
    if expected == "local":
        assert seen == [("local", None), "shutdown"]
    else:
        assert seen == ["token", (running, "token"), "shutdown", None]
    assert "RAY_AUTH_MODE" not in os.environ
