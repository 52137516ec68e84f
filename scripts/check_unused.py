#!/usr/bin/env python3
"""check_unused.py BUILD_DIR - does another file need every function that is not static?

Asks the objects of the program, as nm shows them, not the text: a symbol that one object defines and no other asks for is dead, or
ought to be static. Tests may look inside: what they name and its own file uses counts as needed; what only tests use stands in
TESTS_LOOK_AT, or goes. Objects made for link-time optimization hold no symbols to read; nor can a build that is not whole be judged.

Prints one line a fault and exits 1 if there is any.
"""
import glob
import os
import re
import subprocess
import sys

# Only tests call these, and could not see without them what they test.
TESTS_LOOK_AT = set("""
code_id code_method code_serial exchange_body_limit exchange_route exec_child_exit_code front_output_done http_header_set_put
inbox_free inbox_new metrics_series probe_cancel rate_count regex_ref secret_equals websocket_pending
""".split())

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def words_of(*patterns):
    """How often each word stands in these files, comments aside."""
    count = {}
    for pattern in patterns:
        for path in glob.glob(os.path.join(TOP, pattern), recursive=True):
            with open(path, encoding="utf-8") as f:
                text = re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S)
            for word in re.findall(r"\w+", text):
                count[word] = count.get(word, 0) + 1
    return count


def symbols(objects):
    """{symbol: the object that defines it}, and the symbols that objects ask for."""
    defined, wanted = {}, set()
    out = subprocess.run(["nm", "-A", "-P", *objects], check=True, capture_output=True, text=True).stdout
    for line in out.splitlines():
        path, rest = line.split(": ", 1)
        name, kind = rest.split()[:2]
        if kind == "U":
            wanted.add(name)
        elif kind in "TDBRC" and re.fullmatch(r"[a-z]\w*", name):
            defined[name] = path
    return defined, wanted


def main():
    build = sys.argv[1]
    subprocess.run(["ninja", "-C", build, "wippy"], check=True, stdout=subprocess.DEVNULL)
    # An object whose source is gone may still lie about.
    sources = {os.path.relpath(p, os.path.join(TOP, "src")).replace("/", "_")
               for p in glob.glob(os.path.join(TOP, "src", "**", "*.c"), recursive=True)} | {"src_app_main.c"}
    objects = [o for p in ("src/*.a.p/*.o", "wippy.p/*.o") for o in glob.glob(os.path.join(build, p))
               if os.path.basename(o)[:-len(".o")] in sources]
    defined, wanted = symbols(objects)
    if "main" not in defined:
        print(f"unused: {build} holds no readable objects (link-time optimization?); nothing was checked")
        return 0
    tests, used = words_of("test/**/*.[ch]", "bench/**/*.[ch]"), words_of("src/**/*.c")
    faults = 0
    for name, path in sorted(defined.items()):
        if name in wanted or name == "main" or name in TESTS_LOOK_AT:
            continue
        what = "is used only in its own file: make it static" if used.get(name, 0) > 1 else "is used by nothing: remove it"
        if name in tests and used.get(name, 0) > 1:
            continue
        print(f"{os.path.basename(path)[:-len('.o')]}: {name} {what}")
        faults += 1
    if not faults:
        print(f"unused: every one of {len(defined)} functions and tables is needed by another file")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
