"""The checker of includes between rooms finds what it is for."""
import subprocess
import sys
from pathlib import Path

import pytest

CHECKER = Path(__file__).resolve().parents[2] / "scripts" / "check_rooms.py"


@pytest.fixture
def check(tmp_path):
    def run(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        r = subprocess.run([sys.executable, str(CHECKER), str(tmp_path)], capture_output=True, text=True, cwd=tmp_path)
        return r.returncode, r.stdout
    return run


ROOMS = {
    "base/.may_include": "",
    "base/err.h": "",
    "loop/.may_include": "base\n<uv.h>\n",
    "loop/loop.h": '#include <stdint.h>\n#include <uv.h>\n#include "base/err.h"\n',
    "overlay/.may_include": "base # why\nloop\n",
    "overlay/driver.h": '#include "loop/loop.h"\n',
    "overlay/one/.may_include": "",
    "overlay/one/one.h": '#include "overlay/driver.h"\n#include "base/err.h"\n',
    "overlay/two/.may_include": "",
    "overlay/two/two.c": '#include "overlay/driver.h"\n',
}


def test_a_clean_tree_passes(check):
    code, out = check(ROOMS)
    assert code == 0, out


@pytest.mark.parametrize("name, text, said", [
    ("base/err.h", '#include "loop/loop.h"\n', "base/err.h:1: base/ may not include loop/"),
    ("overlay/two/two.c", '\n#include "overlay/one/one.h"\n', "overlay/two/two.c:2: overlay/two/ may not include overlay/one/"),
    ("overlay/set.c", '#include "overlay/one/one.h"\n', "overlay/ may not include overlay/one/"),
    ("overlay/set.c", "#include <uv.h>\n", "<uv.h> may not be seen in overlay/"),
    ("overlay/set.c", '#include "driver.h"\n', "includes are written from there"),
    ("overlay/set.c", '#  include  "base/gone.h"\n', '"base/gone.h" is no file'),
    ("overlay/meson.build", "overlay_sources = files(\n)\n", "two/two.c is not in the list"),
    ("new/new.c", "", "has no .may_include"),
    ("meson.build", "  ['base', base_sources, [x], []],\n  ['loop', loop_sources, [], []],\n"
     "  ['overlay', overlay_sources, [], ['base', 'loop']],\n", "loop: base stands in only one"),
    ("meson.build", "  ['loop', loop_sources, [], ['base']],\n  ['base', base_sources, [], []],\n"
     "  ['overlay', overlay_sources, [], ['base', 'loop']],\n", "loop includes base, which does not come before it"),
])
def test_a_fault_is_found(check, name, text, said):
    code, out = check({**ROOMS, name: text})
    assert code == 1
    assert said in out
