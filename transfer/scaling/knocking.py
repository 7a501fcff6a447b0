"""Knocking at an address before Ray does, which waits there for minutes, deaf to Ctrl-C, where nobody answers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transfer.errors import Problem, TrainingError

SECONDS = 5.0
START = "start one with 'ray start --head' there, and name it: --address HOST:6379 (address=…)"
_METHOD = "/ray.rpc.NodeInfoGcsService/CheckAlive"
_SHARE = "take the file ~/.ray/auth_token of the machine where 'ray start --head' was run, or set RAY_AUTH_TOKEN to it"


def knock(address: str, environment: Mapping[str, str] = os.environ, *, seconds: float = SECONDS) -> bool:
    """Whether the cluster at an address wants its token shown, as those do that were started where there was one.

    Ray itself shows a token to a cluster that it has found or begun, not to one at an address that it was given.

    Args:
        address: `HOST:PORT` of the head of a cluster.
        environment: where the token and its use are settled: RAY_AUTH_MODE, RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH.
        seconds: to wait for an answer.

    Raises:
        TrainingError: if nothing answers there, something else does, or the cluster wants another token.
    """
    try:
        import grpc  # TensorFlow brings it along
    except ImportError:
        return False
    if environment.get("RAY_USE_TLS", "0").lower() in ("1", "true"):
        return False  # Ray has the certificates
    host, _, port = address.rpartition(":")
    if "://" in address or not host or not port.isdecimal():
        found = "an address of Ray Client" if address.startswith("ray://") else "another form"
        raise _refused(address, found, "run this on a machine of the cluster, and name its head: --address HOST:6379")
    with grpc.insecure_channel(address) as channel:

        def answer(token: str | None) -> Any:
            shown = [("authorization", f"Bearer {token}")] if token else None
            try:
                channel.unary_unary(_METHOD)(b"", timeout=seconds, metadata=shown)
            except grpc.RpcError as error:
                return error
            return None

        error = answer(None)
        if error is None:
            return False
        if error.code() is not grpc.StatusCode.UNAUTHENTICATED:
            raise _refused(address, _said(error, grpc))
        token = _token(environment)
        error = answer(token) if token else error
    mode = environment.get("RAY_AUTH_MODE", "token")
    if error is None and mode == "token":
        return True
    found = "none" if token is None else "another one" if error is not None else f"RAY_AUTH_MODE={mode}"
    raise TrainingError(
        f"The cluster at {address} wants its token.",
        [Problem("token", "that of the cluster", found)],
        next_step=_SHARE if error is not None else "leave RAY_AUTH_MODE out",
    )


def _token(environment: Mapping[str, str]) -> str | None:
    """The token that Ray would show, from where it looks for one."""
    if token := environment.get("RAY_AUTH_TOKEN"):
        return token.strip()
    path = Path(environment.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token")
    try:
        return path.read_text().strip() or None
    except OSError:
        return None


def _said(error: Any, grpc: Any) -> str:
    if error.code() is grpc.StatusCode.UNIMPLEMENTED:
        return "something else of Ray; the head listens at 6379 if it was not told otherwise"
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return "no answer"
    return str(error.details()).rpartition(": ")[2].rstrip("]") or error.code().name


def _refused(address: str, found: str, next_step: str = START) -> TrainingError:
    return TrainingError(
        f"No Ray cluster answers at {address}.",
        [Problem("--address", "HOST:PORT of a running cluster", found)],
        next_step=next_step,
    )
