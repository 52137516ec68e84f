"""Fixtures of the tests that drive the built program.

    wippy          the program: wippy.run(project, "run", "probe") gives code, stdout, stderr; wippy.start() a running one
    project        project({"src/_index.yaml": ...}) writes files into a fresh folder, with a wippy.lock if none is given
    address_server, tls_address_server, counting_proxy, dante, dante_password, dante_refusing, microsocks, i2p_network, tor_network
                   real counterparts (test/rigs/), each started once a run, on free ports, when the first test asks
    start_rig      any rig of one's own, for one test
    watched_network  a network namespace in which every packet and every DNS question is recorded

A counterpart that cannot be had (no such package, not root) skips its tests with the reason; under CI it fails them.
"""
import contextlib
import json
import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

TEST = Path(__file__).resolve().parent
TOP = TEST.parent
RIGS = TEST / "rigs"
CI = os.environ.get("CI") == "true"
# Under a sanitizer everything takes longer: deadlines that guard against a hang are stretched by this.
SLOWER = {"address": 4, "thread": 10}.get(os.environ.get("WIPPY_SANITIZER", ""), 1)


@pytest.fixture(scope="session")
def slower():
    return SLOWER


# -- rigs ----------------------------------------------------------------------------------------------------------------

class RigFailed(Exception):
    pass


class Rig:
    """A counterpart that runs; its facts (port, url, ...) are attributes."""

    def __init__(self, script, *args, inside=None):
        cmd = [sys.executable, str(RIGS / script), *[str(a) for a in args]]
        if inside:
            cmd = ["ip", "netns", "exec", inside, *cmd]
        self.name = script
        self.log_path = None
        self.talking = threading.Lock()
        self.stderr = tempfile.TemporaryFile("w+")
        self.proc = subprocess.Popen(cmd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.stderr,
                                     env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
        self.facts = None

    def wait_ready(self, seconds=30):
        if self.facts is not None:
            return self
        line = b""
        with selectors.DefaultSelector() as sel:
            sel.register(self.proc.stdout, selectors.EVENT_READ)
            end = time.monotonic() + seconds
            while not line.endswith(b"\n"):
                if not sel.select(max(0, end - time.monotonic())):
                    self.stop()
                    raise RigFailed(f"{self.name} was not ready after {seconds} s: {self.said()}")
                chunk = os.read(self.proc.stdout.fileno(), 4096)
                if not chunk:
                    self.stop()
                    raise RigFailed(self.said().strip() or f"{self.name} ended with {self.proc.returncode}")
                line += chunk
        self.facts = json.loads(line)
        return self

    def __getattr__(self, name):
        facts = self.__dict__.get("facts") or {}
        if name in facts:
            return facts[name]
        raise AttributeError(name)

    def say(self, words):
        """A command on the rig's standard input, obeyed when this returns."""
        with self.talking:
            self.proc.stdin.write(words.encode() + b"\n")
            self.proc.stdin.flush()
            answer = json.loads(self.proc.stdout.readline())
        assert answer == {"done": words}, answer

    def said(self):
        self.stderr.seek(0)
        return self.stderr.read()[-2000:]

    def stop(self):
        """As its starter's end would: standard input closes. What does not leave then is killed."""
        if self.proc.stdin:
            with contextlib.suppress(OSError):
                self.proc.stdin.close()
        try:
            self.proc.wait(15)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()

    # Records of rigs that keep a log, one JSON line each.
    def records(self):
        with open(self.log_path, encoding="utf-8") as f:
            return [json.loads(line) for line in f if line.strip()]

    @contextlib.contextmanager
    def recording(self):
        """What was recorded inside the block: a list, filled when the block ends."""
        before = len(self.records())
        new = []
        yield new
        new.extend(self.records()[before:])


def unavailable(error):
    if CI:
        pytest.fail(f"a counterpart is missing under CI: {error}")
    pytest.skip(str(error))


def up(*args, seconds=30, **kw):
    try:
        return Rig(*args, **kw).wait_ready(seconds)
    except (RigFailed, OSError) as e:
        unavailable(e)


@contextlib.contextmanager
def running(*args, log=None, **kw):
    r = up(*args, *(["--log", log] if log else []), **kw)
    r.log_path = log
    if log:
        open(log, "a", encoding="utf-8").close()
    try:
        yield r
    finally:
        r.stop()


@pytest.fixture(scope="session")
def rig_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("rigs")


@pytest.fixture
def start_rig():
    """start_rig("socks_count.py", "--refuse", "x=2", log=path): stopped when the test ends."""
    with contextlib.ExitStack() as stack:
        yield lambda *args, **kw: stack.enter_context(running(*args, **kw))


@pytest.fixture(scope="session")
def address_server():
    """An HTTP server that answers {"ip": "<peer>"}: .url, .port"""
    with running("what_is_my_address.py") as r:
        yield r


@pytest.fixture(scope="session")
def tls_address_server(rig_dir):
    """The same over HTTPS, for localhost, 127.0.0.1, tls.test and api.ipify.org: .url, .port, .ca (a file), .dir"""
    names = ("localhost", "127.0.0.1", "tls.test", "api.ipify.org")
    certificates = rig_dir / "tls"
    certificates.mkdir()
    with running("what_is_my_address.py", "--dir", certificates, *[w for n in names for w in ("--tls", n)]) as r:
        r.facts.update(dir=certificates)
        yield r


@pytest.fixture(scope="session")
def counting_proxy(rig_dir, address_server, tls_address_server):
    """A SOCKS5 proxy that dials out from 127.0.0.2 and keeps a record: .port, .records(), .recording()

    Names it knows: plain.test (address_server), tls.test and api.ipify.org (tls_address_server), hidden.onion, hidden.i2p
    (address_server). It refuses no.test with reply 2 (not allowed by the ruleset)."""
    hosts = {"plain.test": address_server.port, "hidden.onion": address_server.port, "hidden.i2p": address_server.port,
             "tls.test": tls_address_server.port, "api.ipify.org": tls_address_server.port}
    args = [w for name, port in hosts.items() for w in ("--host", f"{name}=127.0.0.1:{port}")]
    with running("socks_count.py", "--source", "127.0.0.2", "--refuse", "no.test=2", *args,
                 log=str(rig_dir / "counting_proxy.jsonl")) as r:
        yield r


@pytest.fixture(scope="session")
def dante():
    """dante, no credentials asked: .port"""
    with running("socks_dante.py") as r:
        yield r


@pytest.fixture(scope="session")
def dante_password():
    """dante, only with .username and .password: .port"""
    with running("socks_dante.py", "--username", "wippytest", "--password", "right horse") as r:
        r.facts.update(username="wippytest", password="right horse")
        yield r


@pytest.fixture(scope="session")
def dante_refusing():
    """dante with a ruleset that turns away 127.0.0.9: .port, .refused"""
    with running("socks_dante.py", "--refuse", "127.0.0.9") as r:
        r.facts.update(refused="127.0.0.9")
        yield r


@pytest.fixture(scope="session")
def microsocks():
    with running("socks_micro.py") as r:
        yield r


# -- Tor -----------------------------------------------------------------------------------------------------------------

class Tor:
    """The private Tor network: .socks, .socks_socket, .control; its exits know all names under exit-only.test (127.0.0.1), nobody else does.

    .second: a second client ({"socks", "socks_socket", "control", "cookie", "password", "socket"}), which .say("kill second"), "start second", "stop second"
    and "go second" are about.
    """

    def __init__(self, directory):
        log = str(directory / "tor_dns.jsonl")
        self.names = 0
        self.dns = Rig("dns_trap.py", "--host", "*.exit-only.test=127.0.0.1", "--log", log).wait_ready()
        self.dns.log_path = log
        open(log, "a", encoding="utf-8").close()
        self.rig = Rig("tor_network.py", "--nameserver", f"127.0.0.1:{self.dns.port}", "--timeout", 240)

    def new_name(self):
        """A name that only the exits can look up, and have not yet: they remember answers."""
        self.names += 1
        return f"n{self.names}.exit-only.test"

    def wait_ready(self):
        self.rig.wait_ready(260)
        self.socks, self.control, self.second = self.rig.socks, self.rig.control, self.rig.second
        self.socks_socket = self.rig.socks_socket
        return self

    def say(self, words):
        self.rig.say(words)

    def stop(self):
        self.rig.stop()
        self.dns.stop()

    @contextlib.contextmanager
    def watching(self):
        """Streams that Tor attached to circuits inside the block: list of {"target", "circuit", "username"}. Without Tor's own (it asks
        directories now and then), whose targets end in .$FINGERPRINT.exit: Tor takes no such name from a client."""
        streams, reader = [], ControlReader(self.control)
        try:
            yield streams
        finally:
            # Events come after the fact by a moment; a command's answer comes behind all earlier ones.
            for event in reader.finish():
                m = re.match(r"650 STREAM \d+ SENTCONNECT (\d+) (\S+)(.*)", event)
                if m and not re.search(r"\.\$[0-9A-F]{40}\.exit:\d+$", m.group(2)):
                    user = re.search(r'SOCKS_USERNAME="([^"]*)"', m.group(3))
                    streams.append({"circuit": m.group(1), "target": m.group(2), "username": user.group(1) if user else None})


class ControlReader:
    """Tor's control port, told to report streams."""

    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.file = self.sock.makefile("rw", encoding="utf-8", newline="\r\n")
        self.events = []
        self.ask('AUTHENTICATE ""')
        self.ask("SETEVENTS STREAM")

    def ask(self, command):
        self.file.write(command + "\r\n")
        self.file.flush()
        while True:
            line = self.file.readline().rstrip()
            if line.startswith("650"):
                self.events.append(line)
            elif line.startswith("250 "):
                return
            elif not line or line[0] in "45":
                raise RuntimeError(f"tor's control port: {line or 'closed'}")

    def finish(self):
        self.ask("GETINFO version")
        self.sock.close()
        return self.events


class I2p:
    """The private I2P network: .sam, the ports of its four bridges; .cut(n) makes one vanish, .mend(n) brings it back; .kill(n) kills the
    router behind it, .start(n) starts that again."""

    def __init__(self, _directory):
        self.rig = Rig("i2p_network.py", "--timeout", 240)

    def wait_ready(self):
        self.rig.wait_ready(300)
        self.sam, self.sockets = self.rig.sam, self.rig.sockets
        return self

    def stop(self):
        self.rig.stop()

    def cut(self, n):
        self.rig.say(f"cut {n}")

    def mend(self, n):
        self.rig.say(f"mend {n}")

    def kill(self, n):
        self.rig.say(f"kill {n}")

    def start(self, n):
        self.rig.say(f"start {n}")


# Networks that need half a minute and more: each is begun once a run, early, when any test wants it.
SLOW_NETWORKS = {"i2p_network": I2p, "tor_network": Tor}
STARTED = {}


def slow_network(name, directory):
    try:
        network = STARTED[name] if name in STARTED else SLOW_NETWORKS[name](directory)
        return network.wait_ready()
    except (RigFailed, OSError) as e:
        return unavailable(e)


@pytest.fixture(scope="session")
def tor_network(rig_dir):
    """The private Tor network (class Tor)."""
    return slow_network("tor_network", rig_dir)


@pytest.fixture(scope="session")
def i2p_network(rig_dir):
    """The private I2P network (class I2p)."""
    return slow_network("i2p_network", rig_dir)


def pytest_collection_modifyitems(items):
    """Tests that need a slow network come last, so that it comes up while the others run."""
    items.sort(key=lambda item: [name in item.fixturenames for name in SLOW_NETWORKS])


@pytest.fixture(scope="session", autouse=True)
def slow_networks_in_advance(request, rig_dir):
    for name, network in SLOW_NETWORKS.items():
        if any(name in item.fixturenames for item in request.session.items):
            with contextlib.suppress(RigFailed, OSError):  # the fixture tells those who ask
                STARTED[name] = network(rig_dir)
    yield
    for network in STARTED.values():
        network.stop()


# -- namespaces ----------------------------------------------------------------------------------------------------------

class WatchedNetwork:
    """.near (for wippy.run(netns=...)), .far (for rigs), .near_ip, .far_ip, and what was seen."""

    def __init__(self, rig):
        self.rig = rig
        self.near, self.far, self.near_ip, self.far_ip = rig.near, rig.far, rig.near_ip, rig.far_ip
        self.sentinels = 0

    def packets(self):
        """Every packet seen so far on the near side: tcpdump's lines, `link0 Out IP 10.203.0.2.40122 > 10.203.0.1.1080: tcp 0`."""
        # A datagram of our own marks the end: when it shows, all that came before it is in the file.
        self.sentinels += 1
        size = 400 + self.sentinels
        code = f"import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'.' * {size}, ('127.0.0.1', 9))"
        subprocess.run(["ip", "netns", "exec", self.near, sys.executable, "-c", code], check=True)
        end = time.monotonic() + 10
        while time.monotonic() < end:
            text = Path(self.rig.packets).read_text(encoding="utf-8", errors="replace")
            if f" 127.0.0.1.9: UDP, length {size}\n" in text:
                # The refusal that answers the mark is ours, too.
                return [line for line in text.splitlines()
                        if line and "127.0.0.1.9:" not in line and "127.0.0.1 udp port 9 unreachable" not in line]
            time.sleep(0.05)
        raise AssertionError("tcpdump did not show the end mark")

    def questions(self):
        """DNS questions that anything on the near side asked."""
        with open(self.rig.dns, encoding="utf-8") as f:
            return [json.loads(line) for line in f]


@pytest.fixture
def watched_network(tmp_path_factory):
    """watched_network(host=["x=127.0.0.1"], ca=file, answers=["y.test=192.0.2.1"]): a WatchedNetwork for one test. `host` goes into the
    file of hosts, `answers` is what the name server knows."""
    with contextlib.ExitStack() as stack:
        def make(host=(), ca=None, answers=()):
            directory = tmp_path_factory.mktemp("netns")
            args = [w for h in host for w in ("--host", h)] + (["--ca", ca] if ca else []) + [w for n in answers for w in ("--answer", n)]
            return WatchedNetwork(stack.enter_context(running("netns.py", "--dir", directory, *args)))
        yield make


# -- the program ---------------------------------------------------------------------------------------------------------

class Result:
    def __init__(self, args, code, stdout, stderr, seconds):
        self.args, self.code, self.stdout, self.stderr, self.seconds = args, code, stdout, stderr, seconds

    def __repr__(self):
        return f"{' '.join(self.args)}: code {self.code}\n-- stdout\n{self.stdout}\n-- stderr\n{self.stderr}"


class Wippy:
    def __init__(self, path):
        self.path = path

    def command(self, args, netns=None):
        inside = ["ip", "netns", "exec", netns] if netns else []
        return [*inside, str(self.path), *[str(a) for a in args]]

    def environment(self, env):
        # Nothing of the tester's own proxies or settings; `None` in env removes a variable.
        base = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy") and not k.startswith("WIPPY_")}
        for k, v in (env or {}).items():
            base.pop(k, None)
            if v is not None:
                base[k] = str(v)
        return base

    def run(self, project_dir, *args, env=None, timeout=30, stdin="", netns=None):
        """Run to the end. A run that outlives its timeout fails the test with what it printed."""
        started = time.monotonic()
        p = subprocess.Popen(self.command(args, netns), cwd=project_dir, env=self.environment(env), stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")
        late = False
        try:
            out, err = p.communicate(stdin, timeout * SLOWER)
        except subprocess.TimeoutExpired:
            late = True
            p.kill()
            out, err = p.communicate()
        result = Result(["wippy", *map(str, args)], p.returncode, out, err, time.monotonic() - started)
        assert not late, f"still running after {timeout * SLOWER} s: {result!r}"
        # A crash or a sanitizer's report is never what a test wanted.
        assert p.returncode >= 0 and p.returncode != 86, repr(result)
        return result

    @contextlib.contextmanager
    def start(self, project_dir, *args, env=None, netns=None):
        """A running program (class Running), killed when the block ends if it still runs."""
        r = Running(self.command(args, netns), project_dir, self.environment(env))
        try:
            yield r
        finally:
            r.end()


class Running:
    """A started program whose output is read as it comes."""

    def __init__(self, cmd, cwd, env):
        self.proc = subprocess.Popen(cmd, cwd=cwd, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE, text=True, errors="replace", bufsize=1)
        self.stdout, self.stderr = [], []
        self.readers = [threading.Thread(target=lambda f=f, to=to: to.extend(iter(f.readline, "")), daemon=True)
                        for f, to in ((self.proc.stdout, self.stdout), (self.proc.stderr, self.stderr))]
        for t in self.readers:
            t.start()

    def wait_for(self, text, timeout=15):
        """Wait until either output holds `text`."""
        end = time.monotonic() + timeout * SLOWER
        while time.monotonic() < end:
            if text in "".join(self.stdout) or text in "".join(self.stderr):
                return
            if self.proc.poll() is not None and not any(t.is_alive() for t in self.readers):
                break
            time.sleep(0.02)
        raise AssertionError(f"{text!r} did not appear\n-- stdout\n{''.join(self.stdout)}\n-- stderr\n{''.join(self.stderr)}")

    def signal(self, number=signal.SIGTERM):
        self.proc.send_signal(number)

    def wait(self, timeout=30):
        """Exit status; output is complete afterwards."""
        code = self.proc.wait(timeout * SLOWER)
        for t in self.readers:
            t.join(5)
        return code

    def end(self):
        if self.proc.poll() is None:
            self.proc.kill()
        self.proc.wait()
        for t in self.readers:
            t.join(5)
        for f in (self.proc.stdin, self.proc.stdout, self.proc.stderr):
            with contextlib.suppress(OSError):
                f.close()


@pytest.fixture(scope="session")
def wippy():
    path = Path(os.environ.get("WIPPY_BIN", TOP / "build" / "wippy")).resolve()
    if not path.exists():
        pytest.fail(f"{path} is not built; run make first")
    return Wippy(path)


LOCK = "directories:\n    modules: .wippy\n    src: ./src\n"


@pytest.fixture(scope="session")
def project_in():
    """project_in(folder): as `project`, in a folder of one's own."""
    def make(folder):
        def write(files):
            files = dict(files)
            if not (folder / "wippy.lock").exists():
                files.setdefault("wippy.lock", LOCK)
            for name, content in files.items():
                if content is None:
                    continue
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                if isinstance(content, bytes):
                    path.write_bytes(content)
                else:
                    path.write_text(content, encoding="utf-8")
            return folder
        return write
    return make


@pytest.fixture
def project(project_in, tmp_path):
    """project({"src/_index.yaml": text, ...}) -> the project's folder; a second call adds to it."""
    return project_in(tmp_path)


@pytest.fixture
def examples():
    return TOP / "examples"
