"""Starts the peer's proxy on a loopback port, measures its processes and ends them. Used by drive.py."""

import ctypes
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

import yaml

HERE = pathlib.Path(__file__).resolve().parent
# It imports half a million lines; beside two builds that has taken over a minute.
START_TIMEOUT_SECONDS = 240
STOP_TIMEOUT_SECONDS = 10
LOAD_TIMEOUT_SECONDS = 600
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PR_SET_PDEATHSIG = 1


class Children:
    """The processes we started. They end with the block, and the kernel ends them if we are killed."""

    def __enter__(self) -> "Children":
        self._started = []
        return self

    def start(self, command: list[str], **options) -> subprocess.Popen:
        process = subprocess.Popen(command, preexec_fn=_die_with_parent, start_new_session=True, **options)
        self._started.append(process)
        return process

    def __exit__(self, *_) -> None:
        for process in self._started:
            _signal(process, signal.SIGTERM)
        for process in self._started:
            try:
                process.wait(STOP_TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                pass
            _signal(process, signal.SIGKILL)  # the whole group, so that no worker is left


class Proxy:
    """One running proxy, whose models answer at `upstreams` (model name to address)."""

    def __init__(self, children: Children, upstreams: dict[str, str], strict: bool, log: str | None):
        self.port = free_port()
        self._directory = tempfile.TemporaryDirectory(prefix="peer-")
        started = time.monotonic()
        configuration = pathlib.Path(self._directory.name, "config.yaml")
        configuration.write_text(yaml.safe_dump(configure(upstreams, strict)))
        command = [str(pathlib.Path(sys.executable).with_name("litellm")), "--config", str(configuration)]
        command += ["--host", "127.0.0.1", "--port", str(self.port), "--num_workers", "1"]
        output = open(log, "w") if log else subprocess.DEVNULL
        self.process = children.start(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment())
        wait_until_healthy(self.process, f"http://127.0.0.1:{self.port}/health/liveliness")
        self.start_seconds = round(time.monotonic() - started, 1)

    def round(self, work: dict) -> dict:
        """Drives one round from a process of its own and adds what the proxy used meanwhile."""
        cpu_ms_before = self.cpu_ms()
        load = subprocess.run(
            [sys.executable, str(HERE / "load.py")],
            input=json.dumps({"port": self.port, **work}),
            capture_output=True,
            text=True,
            timeout=LOAD_TIMEOUT_SECONDS,
            check=True,
        )
        result = json.loads(load.stdout)
        cpu_ms = self._cpu_ms_when_settled() - cpu_ms_before
        return {**result, "cpu_ms_per_call": round(cpu_ms / max(result["calls"], 1), 3), "rss_mib": self.rss_mib()}

    def spend_nano_usd(self, key: str) -> int:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/peer/spend/{key}", timeout=30) as response:
            return round((json.load(response)["spend_usd"] or 0) * 1e9)

    def cpu_ms(self) -> int:
        """Processor time of the proxy and of all that it started, ended children too."""
        ticks = 0
        for pid in tree(self.process.pid):
            fields = read_stat(pid)
            ticks += sum(int(field) for field in fields[11:15]) if fields else 0
        return ticks * 1000 // TICKS_PER_SECOND

    def rss_mib(self) -> float:
        pages = [int(fields[21]) for fields in map(read_stat, tree(self.process.pid)) if fields]
        return round(sum(pages) * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)

    def _cpu_ms_when_settled(self) -> int:
        """The proxy books a call after its answer; that work belongs to the call. Waits until it rests, at most five seconds."""
        before = self.cpu_ms()
        for _ in range(25):
            time.sleep(0.2)
            now = self.cpu_ms()
            if now - before <= 10:
                return now
            before = now
        return before


def configure(upstreams: dict[str, str], strict: bool) -> dict:
    configuration = yaml.safe_load((HERE / "config.yaml").read_text())
    for model in configuration["model_list"]:
        model["litellm_params"]["api_base"] = upstreams[model["model_name"]]
    configuration["general_settings"]["fail_closed_budget_enforcement"] = strict
    return configuration


def environment() -> dict:
    """Ours without what would change the proxy: settings of its own, a database, a cache, another proxy."""
    kept = {name: value for name, value in os.environ.items() if not re.match(r"(?i)(litellm|database|redis)_|.*_proxy$", name)}
    return {
        **kept,
        "PYTHONPATH": str(HERE),  # keys.py
        "PYTHONDONTWRITEBYTECODE": "1",
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_LOG": "ERROR",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it fetches its price map when it starts
        "LITELLM_RUST": "true",  # its Rust paths, where it has one for what we ask
        "DISABLE_ADMIN_UI": "True",
        "NO_DOCS": "True",
    }


def start_upstream(children: Children, delay_ms: int = 0) -> str:
    port = free_port()
    children.start([sys.executable, str(HERE / "upstream.py"), str(port), str(delay_ms)], stdin=subprocess.DEVNULL)
    wait_for_port(port)
    return f"http://127.0.0.1:{port}/v1"


def wait_until_healthy(process: subprocess.Popen, url: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the proxy ended with {process.returncode}; see its log (--log FILE)")
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"the proxy was not healthy within {START_TIMEOUT_SECONDS} s; see its log (--log FILE)")


def wait_for_port(port: int) -> None:
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the model beside the proxy did not start within 30 s")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def tree(root: int) -> list[int]:
    """The process and its descendants."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (fields := read_stat(int(entry))):
            parents[int(entry)] = int(fields[1])
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def read_stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat after the name, which may hold blanks."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _signal(process: subprocess.Popen, number: int) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass
