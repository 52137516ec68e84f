"""The manual (README.md, docs/guide/) does what it says: its examples are run, its lists are compared with the program.

A fenced block whose info string names a file is that file; a `console` block holds commands after "$ " and what they print:

    ```yaml src/_index.yaml        ```lua src/main.lua        ```console
                                                              $ wippy run main
                                                              hello

Each `## ` section with such blocks is a project of its own in a clean folder, run from top to bottom; files named before the first
section are there in all of them. `wippy.lock` is written for sections that do not run `wippy init`. In the output, "..." stands
for what varies: a line of its own for any lines, inside a line for any text.
"""
import os
import re
import subprocess
from pathlib import Path

import pytest


TOP = Path(__file__).resolve().parent.parent
GUIDE = TOP / "docs" / "guide"
LOCK = "directories:\n    modules: .wippy\n    src: ./src\n"
FENCE = re.compile(r"^```(\w+)?(?: +(\S+))?\s*$")


# -- reading the pages ---------------------------------------------------------------------------------------------------

class Block:
    def __init__(self, line, language, name):
        self.line, self.language, self.name, self.lines = line, language, name, []

    def text(self):
        return "".join(self.lines)

    def steps(self):
        """[(line, command, expected output)] of a console block."""
        steps = []
        for at, line in enumerate(self.lines, self.line + 1):
            if line.startswith("$ "):
                steps.append((at, line[2:].rstrip("\n"), []))
            elif steps:
                steps[-1][2].append(line)
        return [(at, command, "".join(out)) for at, command, out in steps]


def sections(page):
    """[(title, [Block])], the part before the first `## ` under the title ""."""
    parts, block = [("", [])], None
    for at, line in enumerate(page.read_text(encoding="utf-8").splitlines(keepends=True), 1):
        fence = FENCE.match(line)
        if block is not None:
            if line.rstrip() == "```":
                block = None
            else:
                block.lines.append(line)
        elif fence:
            block = Block(at, fence.group(1) or "", fence.group(2))
            parts[-1][1].append(block)
        elif line.startswith("## "):
            parts.append((line[3:].strip(), []))
    assert block is None, f"{page}:{block.line}: the block does not end"
    return parts


def is_part(block):
    return block.name is not None or block.language == "console"


def example_projects():
    found = []
    for page in [TOP / "README.md", *sorted(GUIDE.glob("*.md"))]:
        (_, shared), *rest = sections(page)
        shared = [b for b in shared if b.name]
        for title, blocks in rest:
            blocks = [b for b in blocks if is_part(b)]
            if any(b.language == "console" for b in blocks):
                found.append(pytest.param(shared + blocks, id=f"{page.name}-{title}"))
    return found


# -- running them --------------------------------------------------------------------------------------------------------

def matches(expected, got):
    pattern = ""
    for line in expected.splitlines(keepends=True):
        if line.strip() == "...":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += ".*?".join(re.escape(part) for part in line.split("..."))
    return re.fullmatch(pattern, got) is not None


def run_step(wippy, folder, command):
    env = wippy.environment({"PATH": f"{folder / '.bin'}:{os.environ['PATH']}", "TZ": "UTC"})
    done = subprocess.run(["sh", "-c", command], cwd=folder / "project", env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", timeout=600, check=False)
    return done.stdout


def run_blocks(wippy, folder, blocks):
    """Yield (line, command, expected, got) for every command."""
    (folder / ".bin").mkdir()
    (folder / ".bin" / "wippy").symlink_to(wippy.path)
    project = folder / "project"
    project.mkdir()
    if not any("wippy init" in b.text() for b in blocks if b.language == "console"):
        (project / "wippy.lock").write_text(LOCK)
    for block in blocks:
        if block.name:
            path = project / block.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text(), encoding="utf-8")
        else:
            for line, command, expected in block.steps():
                yield line, command, expected, run_step(wippy, folder, command)


@pytest.mark.parametrize("blocks", example_projects())
def test_example(wippy, tmp_path, blocks):
    if os.environ.get("WIPPY_SANITIZER") == "thread" and any("while true do end" in b.text() for b in blocks):
        pytest.skip("the thread sanitizer holds back the signal that interrupts a bare loop")
    for line, command, expected, got in run_blocks(wippy, tmp_path, blocks):
        assert matches(expected, got), f"line {line}: $ {command}\n-- expected\n{expected}-- got\n{got}"


@pytest.mark.parametrize("folder", sorted(p.parent.name for p in (TOP / "examples").glob("*/README.md")))
def test_example_folder(wippy, tmp_path, folder):
    """examples/*/README.md tells what to run; it is run in a copy of the folder."""
    import shutil
    (tmp_path / "run").mkdir()
    steps = [step for _, blocks in sections(TOP / "examples" / folder / "README.md") for b in blocks if b.language == "console"
             for step in b.steps()]
    assert steps
    (tmp_path / "run" / ".bin").mkdir()
    (tmp_path / "run" / ".bin" / "wippy").symlink_to(wippy.path)
    shutil.copytree(TOP / "examples" / folder, tmp_path / "run" / "project")
    for line, command, expected in steps:
        got = run_step(wippy, tmp_path / "run", command)
        assert matches(expected, got), f"line {line}: $ {command}\n-- expected\n{expected}-- got\n{got}"


def test_wildcards():
    assert matches("a ... c\n", "a bb c\n") and not matches("a ... c\n", "a bb d\n")
    assert matches("a\n...\nz\n", "a\nb\nc\nz\n") and matches("...\n", "") and not matches("a\n...\nz\n", "a\nb\nc\n")
    assert not matches("a\n", "a\nb\n")


# -- lists ---------------------------------------------------------------------------------------------------------------

def first_cells(page, section=None):
    """The code spans in the first cells of a page's tables."""
    inside, spans = section is None, []
    for line in (GUIDE / page).read_text(encoding="utf-8").splitlines():
        if line.startswith("## ") and section is not None:
            inside = line[3:].strip() == section
        elif inside and line.startswith("|"):
            spans += re.findall(r"`([^`]+)`", re.split(r"(?<!\\)\|", line)[1])
    return spans


ENUMERATE = """\
local seen = {}
local function show(prefix, t)
  for k, v in pairs(t) do
    local name = prefix == "" and k or prefix .. "." .. k
    if type(v) == "table" then
      if k ~= "_G" and not seen[name] then
        seen[name] = true
        show(name, v)
      end
    else
      io.print(name .. " " .. type(v))
    end
  end
end
return { main = function()
  for _, m in ipairs(MODULES) do
    local t = require(m)
    if type(t) == "table" then show(m, t) end
  end
  show("", _G)
  end }
"""


def members(wippy, project):
    """What programs find: {name: type}."""
    source = (TOP / "src/app/lists.c").read_text(encoding="utf-8")
    modules = re.findall(r'^\t\{"(\w+)", \w+_open, \w+\},', source, re.M)
    assert "http_client" in modules
    index = ("version: '1.0'\nnamespace: app\nentries:\n  - {name: terminal, kind: terminal.host, lifecycle: {auto_start: true}}\n"
             "  - {name: names, kind: process.lua, meta: {command: {name: names}}, source: file://names.lua,\n"
             f"     modules: [{', '.join(modules)}]}}\n")
    lua = ENUMERATE.replace("MODULES", "{" + ", ".join(f'"{m}"' for m in modules) + "}")
    r = wippy.run(project({"src/_index.yaml": index, "src/names.lua": lua}), "run", "names")
    assert r.code == 0, r
    return dict(line.split(" ") for line in r.stdout.splitlines())


def test_every_function_is_listed(wippy, project):
    exists = members(wippy, project)
    listed = {m.group(1): bool(m.group(2)) for span in first_cells("modules.md") for m in [re.match(r"([\w.]+)(\()?", span)]
              if ":" not in span.split("(")[0]}
    functions = {name for name, kind in exists.items() if kind == "function"}
    assert functions - set(listed) == set(), "these functions exist and are not in modules.md"
    assert {name for name, called in listed.items() if called} - functions == set(), "modules.md lists functions that do not exist"
    assert {name for name, called in listed.items() if not called} - set(exists) == set(), "modules.md lists names that do not exist"


def test_every_kind_is_listed(wippy, project):
    r = wippy.run(project({}), "help", "kinds")
    kinds = {line.split()[0] for line in r.stdout.splitlines() if line.startswith("  ")}
    listed = set(first_cells("registry.md", "Kinds"))
    assert "http.service" in kinds and kinds == listed


def test_every_field_of_a_network_is_listed():
    drivers = {}
    for f in (TOP / "src/overlay").glob("*/*.c"):
        text = f.read_text(encoding="utf-8")
        kind = re.search(r'\.kind = "(network\.\w+)"', text)
        if kind:
            drivers[kind.group(1)] = {name for words in re.findall(r"fields\[\] = \{(.*?)NULL", text, re.S) for name in re.findall(r'"(\w+)"', words)}
    assert "password" in drivers["network.socks5"] and "persistent" in drivers["network.i2p"]
    listed = {}
    for line in (GUIDE / "registry.md").read_text(encoding="utf-8").splitlines():
        if re.match(r"\| `network\.\w", line):
            kind, _, fields = line.strip("| ").split(" | ")
            listed[kind.strip("`")] = {w for w in re.findall(r"`(\w+)`", fields) if not w.startswith("_")}
    assert listed == drivers


def test_every_action_is_listed():
    asked = re.compile(r'allow\w*\s*\([^;{]*?"([a-z_]+(?:\.[a-z_]+)+)"')
    actions = {a for room in ("bind", "service") for f in (TOP / "src" / room).glob("*.c") for a in asked.findall(f.read_text(encoding="utf-8"))}
    listed = set(first_cells("security.md", "All actions"))
    assert "network.select" in actions
    assert actions - listed == set()


def test_every_code_is_listed():
    """err:details().code of what goes wrong on the network. Tor's control port has codes of its own, which end in logs."""
    files = [f for room in ("net", "overlay", "http") for f in (TOP / "src" / room).rglob("*.c") if f.parent.name != "tor"]
    text = "\n".join(f.read_text(encoding="utf-8") for f in [*files, TOP / "src/bind/current.c"])
    # Given with err_code(), to a helper that ends in it, or in the tables of replies.
    found = set(re.findall(r'err_code\([^;"]*"(\w+)"\)', text)) | set(re.findall(r'\bfail\w*\(\w+, (?:ERR_\w+, )?"([a-z]\w+)"', text))
    found |= set(re.findall(r'"((?:connect|socks|i2p|tailscale|overlay)_[a-z0-9_]*[a-z0-9])"', text))
    listed = set(first_cells("network.md", "Errors"))
    assert "connect_refused" in listed
    assert found - listed - {"no_auto_tls", "overlay_network"} == set()
    assert {c for c in listed if f'"{c}"' not in text} == set()


def test_every_configuration_key_is_listed():
    source = (TOP / "src/app/config.c").read_text(encoding="utf-8")
    read = set(re.findall(r'^\t\{"([\w.]+)", KEY_\w+', source, re.M))
    ignored = set(re.findall(r'^\tNO_EFFECT\("([\w.]+)"', source, re.M))
    assert "security.strict_mode" in read and "cluster." in ignored
    assert set(first_cells("cli.md", "Configuration")) == read
    assert set(first_cells("cli.md", "Keys without effect")) == ignored


def test_every_command_and_flag_is_listed(wippy, project):
    text = (GUIDE / "cli.md").read_text(encoding="utf-8")
    folder = project({})
    general = wippy.run(folder, "help").stdout
    commands = re.findall(r"^  (\w+) {3,}\S", re.search(r"Commands:\n(.*?)\n\n", general, re.S).group(1), re.M)
    assert "run" in commands
    for command in commands:
        assert f"## wippy {command}" in text, command
        for flag in re.findall(r"^ +(?:-\w, )?(--[\w-]+)", wippy.run(folder, "help", command).stdout, re.M):
            assert f"`{flag}" in text or f", {flag}" in text, f"{command} {flag}"


LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(#[^)]*)?\)")


@pytest.mark.parametrize("page", [TOP / "README.md", *sorted((TOP / "docs").rglob("*.md"))], ids=lambda p: p.name)
def test_links(page):
    for target, _ in LINK.findall(page.read_text(encoding="utf-8")):
        assert "://" in target or (page.parent / target).exists(), target


def test_readme_is_one_page():
    assert len((TOP / "README.md").read_text(encoding="utf-8").splitlines()) <= 170
