"""Network namespaces: computers that share this machine's processor and nothing of its network."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO, Any, TypeVar

__all__ = ["PROGRAMS", "LaboratoryError", "Namespace", "run", "unusable_reason"]

T = TypeVar("T")

PROGRAMS = ("ip", "nft", "conntrack")
"""What the laboratory is built with."""

_CLONE_NEWNET = 0x40000000
_SYSTEM_PATHS = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


class LaboratoryError(AssertionError):
    """The laboratory itself does not work, which says nothing about the node."""


def run(*command: str, text: str | None = None, check: bool = True, seconds: float = 30) -> str:
    """Run a program to its end and give its output.

    Args:
        command: the program and its arguments.
        text: what it reads from stdin.
        check: whether its failure is an error.
        seconds: how long it may take.

    Raises:
        LaboratoryError: it failed; with what it said.
    """
    environment = {**os.environ, "PATH": _SYSTEM_PATHS}
    done = subprocess.run(
        command,
        input=text or "",
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
        env=environment,
    )
    if check and done.returncode:
        said = (done.stderr + done.stdout).strip()
        raise LaboratoryError(f"{' '.join(command)} ended with {done.returncode}: {said}\n{text or ''}")
    return done.stdout


def unusable_reason() -> str | None:
    """Why this machine cannot hold the laboratory, in words for a person; None if it can.

    Missing programs are another matter: see `PROGRAMS`.
    """
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "the NAT laboratory makes network namespaces, which only root may: run it with sudo"
    if not Path("/dev/net/tun").exists():
        return "the kernel has no TUN devices (/dev/net/tun), which carry the simulated lines"
    # Not named as a laboratory: another one that begins would remove it as what a killed run left.
    trial = Namespace(f"p4-trial-{os.getpid()}")
    try:
        trial.create()
        trial.ip("link add one type veth peer name two")
        trial.nft(
            "table ip trial { chain post { type nat hook postrouting priority 100;\n"
            'oifname "one" meta l4proto udp masquerade to :1024-65535 fully-random\n}\n}\n'
        )
    except (LaboratoryError, OSError, subprocess.SubprocessError) as error:
        return f"the kernel does not give network namespaces with NAT here: {error}"
    finally:
        trial.delete()
    return None


class Namespace:
    """One network namespace, with the name that `ip netns` shows."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<Namespace {self.name}>"

    @property
    def command(self) -> tuple[str, ...]:
        """What is put before a command line to run it in here. The program keeps the process id."""
        return ("ip", "netns", "exec", self.name)

    def create(self, *, forwards: bool = False) -> None:
        """Make it, with its loopback device up.

        Args:
            forwards: it is a router.
        """
        run("ip", "netns", "add", self.name)
        self.ip("link set lo up")
        settings = {
            # A machine between two networks hears answers on the one and asks on the other.
            "ipv4/conf/all/rp_filter": 0,
            "ipv4/conf/default/rp_filter": 0,
            # An IPv6 address serves at once instead of after a second.
            "ipv6/conf/all/accept_dad": 0,
            "ipv6/conf/default/accept_dad": 0,
            "ipv6/conf/all/accept_ra": 0,
            "ipv6/conf/default/accept_ra": 0,
            "ipv4/ip_forward": int(forwards),
            "ipv6/conf/all/forwarding": int(forwards),
        }
        self.set(settings)

    def delete(self) -> None:
        """Kill what runs in it and remove it. It may be gone already."""
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        run("ip", "netns", "delete", self.name, check=False)

    def pids(self) -> list[int]:
        """The processes in it."""
        return [int(pid) for pid in run("ip", "netns", "pids", self.name, check=False).split()]

    def ip(self, *lines: str) -> None:
        """Do what these lines say, each without the `ip` at its beginning (ip(8), ``-batch``)."""
        run("ip", "-netns", self.name, "-batch", "-", text="\n".join(lines) + "\n")

    def nft(self, rules: str) -> None:
        """Load nftables rules, all or none of them (nft(8), ``-f``)."""
        self.run("nft", "-f", "-", text=rules)

    def set(self, settings: dict[str, int]) -> None:
        """Set kernel parameters below /proc/sys/net."""
        script = "".join(f"echo {value} > /proc/sys/net/{name}\n" for name, value in settings.items())
        self.run("sh", "-e", text=script)

    def run(self, *command: str, text: str | None = None, check: bool = True, seconds: float = 30) -> str:
        """`run` in here."""
        return run(*self.command, *command, text=text, check=check, seconds=seconds)

    def start(
        self, *command: str, output: IO[bytes] | int = subprocess.DEVNULL, stdin: int = subprocess.DEVNULL
    ) -> subprocess.Popen[bytes]:
        """Start a program in here that goes on running.

        Args:
            command: the program and its arguments.
            output: takes what it says on stdout and stderr.
            stdin: as for `subprocess.Popen`.
        """
        return subprocess.Popen(
            [*self.command, *command],
            stdin=stdin,
            stdout=output,
            stderr=output if stdin != subprocess.PIPE else None,
            env={**os.environ, "PATH": _SYSTEM_PATHS},
        )

    def call(self, function: Callable[[], T]) -> T:
        """Call a function in here. Sockets that it makes stay in this namespace wherever they are used.

        Raises:
            BaseException: whatever the function raises.
        """
        results: list[T] = []
        errors: list[BaseException] = []

        def inside() -> None:
            try:
                self._enter()
                results.append(function())
            except BaseException as error:  # noqa: BLE001 - raised again by the caller's thread
                errors.append(error)

        # A thread of its own: a namespace belongs to a thread and this one never goes back.
        thread = threading.Thread(target=inside, name=f"in {self.name}")
        thread.start()
        thread.join()
        if errors:
            raise errors[0]
        return results[0]

    def _enter(self) -> None:
        """Move the calling thread into it."""
        with Path("/run/netns", self.name).open("rb") as file:
            if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), f"cannot enter the namespace {self.name}")


def names() -> list[str]:
    """All namespaces of this machine that have a name."""
    return [line.split()[0] for line in run("ip", "netns", "list").splitlines() if line.strip()]


def end_processes(processes: Iterable[subprocess.Popen[Any]], *, seconds: float = 2.0) -> None:
    """End processes that we started, politely for so long."""
    processes = list(processes)
    running = [process for process in processes if process.poll() is None]
    for process in running:
        process.send_signal(signal.SIGCONT)
        process.terminate()
    for process in running:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for process in processes:
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def connect(one: Namespace, one_device: str, other: Namespace, other_device: str) -> None:
    """Lay a cable between two namespaces; both ends are up."""
    run(
        *("ip", "link", "add", one_device, "netns", one.name, "type", "veth"),
        *("peer", "name", other_device, "netns", other.name),
    )
    one.ip(f"link set {one_device} up")
    other.ip(f"link set {other_device} up")


def module_command(module: str, *arguments: str) -> Sequence[str]:
    """The command line that runs one of our own programs with this interpreter."""
    return (sys.executable, "-m", module, *arguments)
