"""Folders of an application: the programs of lua/files/ check themselves; what is laid in their way is laid here."""
import os
import shutil
import socket
import subprocess
import threading
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "lua" / "files"


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(PROGRAMS, tmp_path / "files")


@pytest.fixture
def data(folder):
    (folder / "data").mkdir()
    (folder / "secret").write_text("secret")
    return folder / "data"


def succeeded(r):
    return r.code == 0 and " checks, 0 failures\n" in r.stdout


@pytest.mark.parametrize("program", ["basics", "open_files", "many", "killed"])
def test_program(wippy, folder, program):
    r = wippy.run(folder, "run", program, timeout=120)
    assert succeeded(r), r


def test_created_by_itself(wippy, folder):
    wippy.run(folder, "run", "basics")
    assert (folder / "data").is_dir() and (folder / "private" / "mine").stat().st_mode & 0o777 == 0o600


def test_no_way_out(wippy, folder, data):
    outside = folder / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (data / "file").write_text("inside")
    (data / "real").mkdir()
    (data / "real" / "file").write_text("inside")
    (data / "sub").mkdir()
    for name, target in {"link_out": "../secret", "link_abs": str(folder / "secret"), "dir_out": "../outside",
                         "dir_abs": str(outside), "via": "sub/up", "sub/up": "../../outside", "loop": "loop",
                         "dangling": "../made_outside", "proc_root": "/proc/self/root", "proc_self": "/proc/self",
                         "link_in": "real/../file", "dir_in": "real"}.items():
        (data / name).symlink_to(target)
    r = wippy.run(folder, "run", "escape")
    assert succeeded(r), r
    assert (folder / "secret").read_text() == "secret" and (outside / "secret").read_text() == "secret"
    assert not (folder / "made_outside").exists() and sorted(os.listdir(outside)) == ["secret"]


def test_links_swapped_in_a_race(wippy, folder, data, slower):
    """A folder and a link to the outside change places as fast as they can."""
    outside = folder / "outside"
    outside.mkdir()
    (outside / "file").write_text("secret")
    (outside / "victim").write_text("victim")
    (data / "inside").mkdir()
    (data / "inside" / "file").write_text("inside")
    (data / "out").symlink_to(outside)
    (data / "in").symlink_to("inside")
    over = threading.Event()

    def swap():
        link, other = str(data / "swapped"), str(data / "next")
        targets = ["inside", "../outside", str(outside)]
        i = 0
        while not over.is_set():
            os.symlink(targets[i % 3], other)
            os.rename(other, link)
            i += 1

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        r = wippy.run(folder, "run", "swap", 4000 // slower, timeout=120)
    finally:
        over.set()
        thread.join()
    assert r.code == 0 and r.stdout == "both\n", r
    assert sorted(os.listdir(outside)) == ["file", "victim"]


def test_the_folder_itself_swapped(wippy, folder, data):
    """The folder was opened at start: what takes its name later is another one."""
    (data / "greeting").write_text("hello")
    (folder / "src" / "swapped.lua").write_text("""
local fs = require("fs")
local io = require("io")
local function main()
    local vol = fs.get("app:data")
    io.print("ready")
    io.readline()
    io.print((vol:readfile("greeting")))
    return 0
end
return { main = main }
""")
    with open(folder / "src" / "_index.yaml", "a", encoding="utf-8") as f:
        f.write("""
  - name: swapped
    kind: process.lua
    meta: { command: { name: swapped } }
    source: file://swapped.lua
    method: main
    modules: [fs, io]
""")
    program = subprocess.Popen([wippy.path, "run", "swapped"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert program.stdout.readline() == "ready\n"
    data.rename(folder / "moved")
    data.mkdir()
    (data / "greeting").write_text("another")
    assert program.communicate("\n", timeout=20)[0] == "hello\n"


@pytest.mark.parametrize("workers", [1, 2])
def test_no_plain_files(wippy, folder, data, workers):
    os.mkfifo(data / "fifo")
    (data / "plain").write_text("plain")
    s = socket.socket(socket.AF_UNIX)
    here = os.getcwd()
    os.chdir(data)
    try:
        s.bind("socket")
    finally:
        os.chdir(here)
    if os.geteuid() == 0:
        os.mknod(data / "device", 0o666 | 0o020000, os.makedev(1, 5))  # /dev/zero: endless
    r = wippy.run(folder, "run", "odd", "--set", f"supervisor.host.worker_count={workers}", timeout=20)
    s.close()
    assert succeeded(r), r


def test_a_mounted_proc_shows_nothing(wippy, folder, data):
    (data / "proc").mkdir()
    (folder / "src" / "denied.lua").write_text("""
local fs = require("fs")
local io = require("io")
local function main()
    local vol = fs.get("app:data")
    for _, path in ipairs({ "proc/self/environ", "proc/version", "proc/self/root/etc/passwd", "proc/self/fd/0", "proc/1/cwd/secret" }) do
        io.print(tostring((vol:readfile(path))))
    end
    return 0
end
return { main = main }
""")
    r = subprocess.run(["unshare", "-m", "sh", "-c", f"mount --bind /proc '{data}/proc' && exec '{wippy.path}' run denied"],
                       cwd=folder, capture_output=True, text=True, timeout=30, check=False)
    if r.returncode != 0 and ("unshare" in r.stderr or "mount" in r.stderr):
        pytest.skip("nothing can be mounted here: " + r.stderr.strip())
    assert r.stdout == "nil\n" * 5, r


def test_while_a_chunk_is_loaded(wippy, folder, data):
    (data / "greeting").write_text("hello")
    r = wippy.run(folder, "run", "at_load")
    assert r.stdout == "hello\thel\tfalse\thello\tlo\n", r


def test_permission(wippy, folder):
    (folder / ".wippy.yaml").write_text('version: "1.0"\nsecurity:\n  strict_mode: true\n')
    r = wippy.run(folder, "run", "denied")
    assert r.stdout == "nil\tPermissionDenied\tnot allowed to access filesystem: app:data\n", r


@pytest.mark.parametrize("field, words", [
    ("directory: nowhere", "directory 'nowhere'"),
    ("mode: \"0755\"", "field 'directory' is required"),
    ("directory: data\n    auto_init: true\n    mode: 755", "octal number in quotes"),
    ("directory: data\n    auto_init: true\n    mode: \"888\"", "octal number in quotes"),
    ("directory: data\n    auto_init: true\n    base: elsewhere", "field 'base'"),
    ("directory: src/check.lua", "src/check.lua"),
])
def test_a_bad_entry(wippy, folder, field, words):
    with open(folder / "src" / "_index.yaml", "a", encoding="utf-8") as f:
        f.write(f"\n  - name: bad\n    kind: fs.directory\n    {field}\n")
    r = wippy.run(folder, "run", "denied")
    assert r.code != 0 and words in r.stderr and "app:bad" in r.stderr, r
