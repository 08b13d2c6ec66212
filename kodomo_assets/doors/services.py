"""The Dagster UI and its daemon as the project starts them: a private home, errors redacted, the guard in front."""

from __future__ import annotations

import _thread
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext

import uvicorn
from dagster_webserver.app import create_app_from_workspace_process_context
from dagster_webserver.version import __version__

from kodomo_assets.defs.running import dagster_of
from kodomo_assets.doors.guard import Guard
from kodomo_assets.doors.loading import watching_daemons
from kodomo_assets.errors import ConfigurationError
from kodomo_assets.internals import (
    ModuleTarget,
    WorkspaceProcessContext,
    daemon_controller_from_instance,
)
from kodomo_assets.machine.home import prepare_home
from kodomo_assets.machine.scratch import alone
from kodomo_assets.machine.system_errors import explain
from kodomo_assets.settings import Settings, project_root

_ANY_ADDRESS = frozenset({"0.0.0.0", "::", ""})  # noqa: S104  (told from others, never bound by itself)
_POLL_MILLISECONDS = 2000
_DAEMON_ENDS_WITHIN = 60
#: The option by which the UI's own daemon ends with it.
UNTIL_STDIN_CLOSES = "--until-stdin-closes"


def serve_ui(
    settings: Settings,
    *,
    host: str,
    port: int,
    listen_fd: int | None,
    allowed: Iterable[str],
    read_only: bool,
    daemon: bool,
) -> None:
    """Serves the UI until it is stopped, with the ``daemon`` beside it; ``read_only``: nothing can be started in it.

    Args:
        listen_fd: number of an open socket that is listened on in the place of ``host`` and ``port``: whoever opened it
            says who may connect.

    Raises:
        ConfigurationError: the home is not private, the address cannot be listened on, or ``host`` is every address
            and none is allowed.
    """
    known = {*allowed} | (set() if host in _ANY_ADDRESS else {host})
    if not known:
        raise ConfigurationError(
            "--host {host}: listens on every address; name those that the UI is opened by with --allow-host", host=host
        )
    prepare_home(settings)
    listening = _listen(host, port) if listen_fd is None else _handed(listen_fd)
    _end_on_signals()
    with (
        listening,
        dagster_of(settings) as instance,
        WorkspaceProcessContext(
            instance, what_to_load(), __version__, read_only=read_only, code_server_log_level="warning"
        ) as served,
    ):
        app = create_app_from_workspace_process_context(served, "", _POLL_MILLISECONDS)
        server = uvicorn.Server(uvicorn.Config(Guard(app, known), log_level="warning"))
        with _daemon_beside(server) if daemon else nullcontext():
            kind = "Dagster UI, read-only," if read_only else "Dagster UI"
            where = f"http://{host}:{port}" if listen_fd is None else f"socket {listening.getsockname()}"
            print(f"{kind} on {where}; Ctrl-C ends it", flush=True)  # noqa: T201
            server.run(sockets=[listening])


def run_daemon(settings: Settings, *, until_stdin_closes: bool) -> None:
    """Schedules, sensors and queued runs until it is stopped, or until whoever started it is no more.

    Raises:
        ConfigurationError: the home is not private, or another daemon of it runs.
    """
    prepare_home(settings)
    _end_on_signals()
    if until_stdin_closes:
        threading.Thread(target=_interrupt_when_stdin_closes, daemon=True).start()
    with (
        _only_daemon(settings),
        dagster_of(settings) as instance,
        daemon_controller_from_instance(
            instance,
            what_to_load(),
            gen_daemons=watching_daemons,
            log_level="warning",
            code_server_log_level="warning",
        ) as controller,
    ):
        controller.check_daemon_loop()


@contextmanager
def _only_daemon(settings: Settings) -> Iterator[None]:
    """Two daemons of one home would ask for everything twice; Dagster only notes it in a log.

    Raises:
        ConfigurationError: another one runs.
    """
    with alone(settings.dagster_home / "daemon.lock") as is_alone:
        if not is_alone:
            raise ConfigurationError(
                "DAGSTER_HOME {home}: another daemon of it runs already, as a service or beside a `kodomo ui`: leave "
                "it at that (a UI beside it is `kodomo ui --no-daemon`), or end the other one first",
                home=settings.dagster_home,
            )
        yield


def _end_on_signals() -> None:
    """Both signals end the block in the ordinary way, also where a shell started this in the background."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


def what_to_load() -> ModuleTarget:
    """The same for UI and daemon: what is switched on in one is switched on in the other."""
    return ModuleTarget("kodomo_assets.definitions", None, str(project_root()), "kodomo_assets")


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    try:
        if os.name != "nt":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen()
    except OSError as error:
        listening.close()
        raise ConfigurationError(
            "--host {host} --port {port}: cannot be listened on ({why}); is another UI running? Choose another with "
            "--port",
            host=host,
            port=port,
            why=explain(error) or error.strerror,
        ) from None
    return listening


def _handed(number: int) -> socket.socket:
    """The socket that a starter of services opened: of a file, only who may open that file reaches the UI."""
    try:
        handed = socket.socket(fileno=number)
        if handed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            return handed
    except OSError:
        pass
    raise ConfigurationError(
        "--listen-fd {number}: is no socket that listens; expected one that was opened by whoever started this "
        "(kodomo-webserver@.socket)",
        number=number,
    )


@contextmanager
def _daemon_beside(server: uvicorn.Server) -> Iterator[None]:
    """The daemon as a process that ends with this one, however this one ends; without it the UI ends too."""
    command = [sys.executable, "-m", "kodomo_assets", "daemon", UNTIL_STDIN_CLOSES]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:  # noqa: S603

        def watch() -> None:
            if process.wait() and not server.should_exit:
                print("the daemon ended: no schedule would run any more, so the UI ends too", file=sys.stderr)  # noqa: T201
                server.should_exit = True

        threading.Thread(target=watch, daemon=True).start()
        try:
            yield
        finally:
            if process.stdin is not None:
                process.stdin.close()
            try:
                process.wait(_DAEMON_ENDS_WITHIN)
            except subprocess.TimeoutExpired:
                process.kill()


def _interrupt_when_stdin_closes() -> None:
    sys.stdin.read()
    if os.name == "nt":
        _thread.interrupt_main()
    else:  # wakes it where it sleeps
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
