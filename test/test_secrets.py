"""No secret in any output: a project that uses each kind of them is run in every way, made to fail wherever a secret is, and whatever came out is searched."""
import json
import os
import subprocess

import pytest

# What must never turn up. The right password is the proxy's; the others are only used here.
RIGHT = "right horse"
SECRETS = {
    "inline": "wrong-inline-71c0",
    "env": 'wrong-"env"-5\\e2f',
    "file": "wrong-file-90ab",
    "fd": "wrong-fd-33dd",
    "key": "token-key-inline-4411",
    "key_file": "token-key-file-8822",
    "variable": "variable-token-c0ffee",
    "marked": "marked-value-beef01",
    "bearer": "bearer-header-1199",
    "cookie": "cookie-value-7733",
    "basic": "basic-auth-pass-5566",
    "userinfo": "userinfo-pass-2288",
    "pem": "UEVNLXNlY3JldC1ieXRlcy0wMDEx",
}

INDEX = {"version": "1.0", "namespace": "app"}


def entries(proxy_port, dead_port):
    def proxy(name, port=proxy_port, **fields):
        return {"name": name, "kind": "network.socks5", "host": "127.0.0.1", "port": port, "username": "wippytest", **fields}

    return [
        {"name": "terminal", "kind": "terminal.host", "lifecycle": {"auto_start": True}},
        {"name": "os", "kind": "env.storage.os"},
        {"name": "fixed", "kind": "env.storage.static",
         "values": {"RIGHT": RIGHT, "WRONG": SECRETS["env"], "MARKED": SECRETS["marked"]}},
        {"name": "right", "kind": "env.variable", "variable": "RIGHT", "storage": "app:fixed", "secret": True},
        {"name": "wrong", "kind": "env.variable", "variable": "WRONG", "storage": "app:fixed", "secret": True},
        {"name": "marked", "kind": "env.variable", "variable": "MARKED", "storage": "app:fixed", "secret": True},
        {"name": "token", "kind": "env.variable", "variable": "API_TOKEN", "storage": "app:os"},
        proxy("ok_inline", password=RIGHT), proxy("ok_env", password_env="RIGHT"),
        proxy("ok_placeholder", password="${env:RIGHT}"),
        proxy("ok_file", password_file="keep/right"), proxy("ok_fd", password_fd=10),
        proxy("bad_inline", password=SECRETS["inline"]), proxy("bad_env", password_env="WRONG"),
        proxy("bad_file", password_file="keep/wrong"), proxy("bad_fd", password_fd=11),
        proxy("dead", dead_port, password=SECRETS["inline"]),
        {"name": "data", "kind": "store.memory", "lifecycle": {"auto_start": True}},
        {"name": "tokens_inline", "kind": "security.token_store", "store": "app:data", "token_key": SECRETS["key"]},
        {"name": "tokens_file", "kind": "security.token_store", "store": "app:data", "token_key_file": "keep/key"},
        {"name": "programs", "kind": "exec.native"},
        *[{"name": n, "kind": "process.lua", "meta": {"command": {"name": n}}, "source": f"file://{n}.lua", "method": "main",
           "modules": ["io", "http_client", "env", "logger", "security", "exec", "time"]} for n in ("use", "fail")],
    ]


# The texts come by an environment variable that no entry names: what the program is given on its command line is anybody's to read.
USE = """\
local io = require("io")
local http = require("http_client")
local env = require("env")
local logger = require("logger")
local security = require("security")
local exec = require("exec")
local S = {SECRETS}
local function main(url, dead)
  local ways = { "inline", "env", "placeholder", "file", "fd" }
  for _, way in ipairs(ways) do
    local r, err = http.get(url, { overlay_network = "app:ok_" .. way, timeout = "10s" })
    io.print("ok_" .. way .. " " .. (r and tostring(r.status_code) or tostring(err)))
    if way ~= "placeholder" then
      r, err = http.get(url, { overlay_network = "app:bad_" .. way, timeout = "10s" })
      io.print("bad_" .. way .. " " .. (r and tostring(r.status_code) or tostring(err)))
    end
  end
  io.print("dead " .. tostring(select(2, http.get(url, { overlay_network = "app:dead" }))))
  local with = "http://someone:" .. S.userinfo .. "@"
  local asked = {
    { url, { headers = { Authorization = "Bearer " .. S.bearer } } },
    { url, { cookies = { session = S.cookie } } },
    { url, { auth = { user = "someone", pass = S.basic } } },
    { (url:gsub("http://", with)), {} },
    { (dead:gsub("http://", with)), {} },
    { with .. "no such host/", {} },
    { "ftp://someone:" .. S.userinfo .. "@127.0.0.1/", {} },
    { (url:gsub("http://", with)), { overlay_network = "app:none" } },
    { dead, { headers = { Authorization = "Bearer " .. S.bearer }, cookies = { session = S.cookie } } },
    { url, { headers = { Authorization = "Bearer " .. S.bearer .. "\\n" } } },
    { url, { tls = { cert = "x", key = "-----BEGIN PRIVATE KEY-----\\n" .. S.pem .. "\\n-----END PRIVATE KEY-----\\n" } } },
    { url, { tls = { key = S.pem } } },
  }
  for i, a in ipairs(asked) do
    local r, err = http.get(a[1], a[2])
    io.print("request " .. i .. " " .. (r and tostring(r.status_code) or tostring(err)))
    if err then logger:warn("a request failed", { error = tostring(err), details = err:details() }) end
  end
  for _, id in ipairs({ "app:tokens_inline", "app:tokens_file" }) do
    local store = security.token_store(id)
    local token = store:create(security.new_actor("alice", {}), security.new_scope({}))
    io.print(id .. " " .. tostring(store:validate(token) ~= nil) .. " " .. tostring(select(3, store:validate("x" .. token))))
  end
  -- Programs may do with them what they like, but the log shows none of it.
  local token, marked = env.get("API_TOKEN"), env.get("MARKED")
  io.print("lengths " .. #token .. " " .. #marked)
  for _, level in ipairs({ "debug", "info", "warn", "error" }) do
    logger[level](logger, "with " .. token, { marked = marked, deep = { list = { "<" .. token .. ">" } }, n = 1 })
    logger:with({ kept = marked })[level](logger, "again")
  end
  local p = exec.get("app:programs"):exec("sh -c 'cat /proc/self/environ /proc/self/cmdline; ls -l /proc/self/fd'")
  local out = p:stdout_stream()
  p:start()
  local text = ""
  while true do
    local data = out:read()
    if not data then break end
    text = text .. data
  end
  io.print("child " .. p:wait() .. " " .. text)
  return 0
end
return { main = main }
"""
FAIL = """\
local env = require("env")
local function main(how)
  local token, marked = env.get("API_TOKEN"), env.get("MARKED")
  if how == "error" then error("failed with " .. token .. " and " .. marked) end
  if how == "object" then error(errors.new({ message = "failed with " .. token, kind = errors.NOT_FOUND })) end
  return nil, "refused " .. token
end
return { main = main }
"""


def lua_table(texts):
    return "{ " + ", ".join(f"{k} = {json.dumps(v)}" for k, v in texts.items()) + " }"


class Project:
    def __init__(self, wippy, folder, proxy, site):
        self.wippy, self.folder = wippy, folder
        self.url, self.dead = site, "http://127.0.0.1:1/"
        self.proxy = proxy

    def run(self, *args, config=None):
        """Like wippy.run(), with the two descriptors."""
        if config:
            (self.folder / ".wippy.yaml").write_text(json.dumps({"version": "1.0", **config}))
        fds = {}
        for number, text in ((10, RIGHT), (11, SECRETS["fd"])):
            end, other = os.pipe()
            os.write(other, text.encode() + b"\n")
            os.close(other)
            fds[number] = end

        def place():
            for number, end in fds.items():
                os.dup2(end, number)
                os.set_inheritable(number, True)

        env = self.wippy.environment({"API_TOKEN": SECRETS["variable"]})
        p = subprocess.run(self.wippy.command(args), cwd=self.folder, env=env, preexec_fn=place, pass_fds=(10, 11),
                           capture_output=True, text=True, errors="replace", timeout=300, stdin=subprocess.DEVNULL)
        for end in fds.values():
            os.close(end)
        return p


def forms(text):
    """As it is, in JSON, and escaped byte by byte."""
    escaped = "".join(c if c.isalnum() or c in "-_ " else f"\\x{ord(c):02x}" for c in text)
    return {text, json.dumps(text)[1:-1], escaped}


def search(where, text):
    for name, secret in {**SECRETS, "right": RIGHT}.items():
        for form in forms(secret):
            assert form not in text, f"{where} shows the secret '{name}':\n{text}"


def search_files(folder):
    """Whatever the program has written: the project's own files are not its."""
    own = {folder / "src", folder / "keep"}
    for path in folder.rglob("*"):
        if path.is_file() and not own & set(path.parents):
            search(str(path), path.read_bytes().decode("utf-8", "replace"))


@pytest.fixture
def uses(wippy, project, dante_password, address_server):
    folder = project({
        "src/_index.yaml": json.dumps({**INDEX, "entries": entries(dante_password.port, 1)}),
        "src/use.lua": USE.replace("{SECRETS}", lua_table(SECRETS)), "src/fail.lua": FAIL,
        "keep/right": RIGHT + "\n", "keep/wrong": SECRETS["file"], "keep/key": SECRETS["key_file"] + "\n"})
    for path in (folder / "keep").iterdir():
        path.chmod(0o600)
    (folder / "keep/wrong").chmod(0o644)
    assert dante_password.password == RIGHT
    return Project(wippy, folder, dante_password.port, f"http://127.0.0.1:{address_server.port}/")


WAYS = {
    "quiet": ((), {}),
    "for a collector": (("-v",), {}),
    "for people": (("-v", "-c"), {}),
    "as JSON": (("-v",), {"logger": {"encoding": "json"}}),
    "with stacks": (("--very-verbose",), {}),
    "on the bus": (("-v", "-e"), {"registry": {"history_type": "sqlite"}}),
    "watched": (("-v", "--watch"), {}),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_use_them(uses, way):
    flags, config = WAYS[way]
    r = uses.run("run", *flags, "use", uses.url, uses.dead, config=config)
    said = r.stdout + r.stderr
    assert r.returncode == 0, said
    # They all arrived, or nothing was tested.
    for line in ("ok_inline 200", "ok_env 200", "ok_placeholder 200", "ok_file 200", "ok_fd 200", "request 1 200", "request 2 200",
                 "request 3 200", "request 4 200", "app:tokens_inline true", "app:tokens_file true", "lengths 21 19", "child 0 "):
        assert line in said, said
    for bad in ("bad_inline", "bad_env", "bad_file", "bad_fd"):
        assert f"{bad} " in said and "username/password authentication failed" in said, said
    search(way, said)
    search_files(uses.folder)
    if flags:
        assert "with [redacted]" in said and "open to others" in said, said
        assert "keep/wrong" not in said
    # The program's own child was given neither the environment nor the descriptors.
    child = r.stdout.split("child 0 ")[1]
    assert "cat/proc/self/environ" in child.replace("\0", "") and "API_TOKEN" not in child, child
    assert " 2 -> " in child and " 10 -> " not in child and " 11 -> " not in child, child


@pytest.mark.parametrize("how", ["error", "object", "returned"])
@pytest.mark.parametrize("flags", [(), ("-c",), ("-v",)])
def test_what_a_program_ends_with(uses, how, flags):
    r = uses.run("run", *flags, "fail", how)
    assert r.returncode == 1 and "[redacted]" in r.stderr, r
    search(how, r.stdout + r.stderr)


@pytest.mark.parametrize("args", [("list",), ("list", "--json"), ("tree",), ("show", "app:bad_inline"),
                                  ("show", "app:bad_inline", "--json"), ("show", "app:fixed", "--json"),
                                  ("show", "app:tokens_inline", "--json"), ("show", "app:ok_fd")])
def test_registry_shows_none(uses, args):
    r = uses.run("registry", *args)
    assert r.returncode == 0, r
    search(args, r.stdout + r.stderr)
    if args[0] == "show" and "ok_fd" not in args[1]:
        assert "[redacted]" in r.stdout


HIDDEN = "do-not-show-me-4242"
REFUSED = [
    # kind, its fields, words that must be said
    ("network.socks5", {"password": [HIDDEN]}, "field 'password'"),
    ("network.socks5", {"password": HIDDEN + "\0x"}, "field 'password'"),
    ("network.socks5", {"password": 424242424242}, "field 'password'"),
    ("network.socks5", {"username": [HIDDEN]}, "field 'username'"),
    ("network.socks5", {"password": HIDDEN, "port": 0}, "invalid port"),
    ("network.socks5", {"password": HIDDEN, "password_file": "keep/x"}, "field 'password' is given in more than one way"),
    ("network.socks5", {"password_file": "keep/" + HIDDEN}, "field 'password_file'"),
    ("network.socks5", {"password_file": "keep/empty"}, "field 'password_file'"),
    ("network.socks5", {"password_file": "keep"}, "field 'password_file'"),
    ("network.socks5", {"password_file": "keep/nul"}, "field 'password_file'"),
    ("network.socks5", {"password_file": "keep/big"}, "field 'password_file': more than 65536 bytes"),
    ("network.socks5", {"password_fd": 77}, "field 'password_fd'"),
    ("network.socks5", {"password_fd": HIDDEN}, "field 'password_fd'"),
    ("network.socks5", {"password_env": "NOTHING"}, "field 'password_env'"),
    ("security.token_store", {"token_key": {"x": HIDDEN}}, "field 'token_key'"),
    ("security.token_store", {"token_key": HIDDEN, "token_key_fd": 3}, "field 'token_key' is given in more than one way"),
    ("security.token_store", {"token_key_file": "keep/nul"}, "field 'token_key_file'"),
    ("security.token_store", {"token_key": HIDDEN, "token_length": -1}, "token length"),
    ("env.variable", {"storage": "app:none", "secret": HIDDEN}, "field 'secret'"),
]


@pytest.mark.parametrize("kind, fields, words", REFUSED, ids=[f"{i}" for i in range(len(REFUSED))])
def test_refused_without_showing_it(wippy, project, kind, fields, words):
    base = {"network.socks5": {"host": "127.0.0.1", "port": 1080}, "security.token_store": {"store": "app:data"}}.get(kind, {})
    folder = project({"src/_index.yaml": json.dumps({**INDEX, "entries": [{"name": "x", "kind": kind, **base, **fields}]}),
                      "keep/empty": "", "keep/nul": HIDDEN.encode() + b"\0x", "keep/big": HIDDEN * 4000})
    r = wippy.run(folder, "run", "-v")
    assert r.code == 1, r
    assert "entry app:x" in r.stderr and words in r.stderr, r
    assert HIDDEN not in r.stdout + r.stderr and "424242424242" not in r.stdout + r.stderr, r
