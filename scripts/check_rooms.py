#!/usr/bin/env python3
"""check_rooms.py [SRC] - do the rooms under src/ include only what their .may_include allows?

A line of `.may_include` names a room (`base`), a folder inside a room (`overlay/socks5`), a system header (`<uv.h>`) or a
family of them (`<openssl/>`). A room always includes itself and the C library. A folder inside a room has a `.may_include` of
its own, on top of its room's: it sees the room's own headers, and neither the room nor a sibling folder sees it unless they list it.

The build links the rooms by a table in src/meson.build; that table must say the same, and each room's own meson.build must list all
its files.
Prints one line a fault, `file:line: what`, and exits 1 if there is any.
"""
import os
import re
import sys

C_LIBRARY = set("""
assert.h complex.h ctype.h dirent.h dlfcn.h endian.h errno.h fcntl.h fenv.h float.h fnmatch.h getopt.h glob.h grp.h ifaddrs.h
inttypes.h langinfo.h libgen.h limits.h locale.h malloc.h math.h memory.h mntent.h netdb.h nl_types.h poll.h pthread.h pwd.h regex.h
sched.h search.h semaphore.h setjmp.h signal.h spawn.h stdalign.h stdarg.h stdatomic.h stdbool.h stddef.h stdint.h stdio.h
stdlib.h stdnoreturn.h string.h strings.h syscall.h syslog.h termios.h threads.h time.h uchar.h ucontext.h unistd.h utime.h
wchar.h wctype.h
""".split())
C_LIBRARY_FOLDERS = ("sys/", "netinet/", "arpa/", "net/if", "linux/", "bits/", "sanitizer/")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def read_list(path):
    rooms, headers = set(), set()
    with open(path, encoding="utf-8") as f:
        for line in f:
            word = line.split("#")[0].strip()
            if word.startswith("<"):
                headers.add(word.strip("<>"))
            elif word:
                rooms.add(word.rstrip("/"))
    return rooms, headers


class Checker:
    def __init__(self, src):
        self.src = src
        self.faults = []
        self.allowed = {}  # folder: (rooms, headers)
        self.files = 0

    def fault(self, where, text):
        self.faults.append(f"{where}: {text}")

    def load(self):
        for room in sorted(os.listdir(self.src)):
            if not os.path.isdir(os.path.join(self.src, room)):
                continue
            for folder, _, names in sorted(os.walk(os.path.join(self.src, room))):
                rel = os.path.relpath(folder, self.src)
                parent = os.path.dirname(rel)
                rooms, headers = set(), set()
                if parent in self.allowed:
                    rooms |= self.allowed[parent][0] | {parent}
                    headers |= self.allowed[parent][1]
                if ".may_include" in names:
                    own = read_list(os.path.join(folder, ".may_include"))
                    rooms, headers = rooms | own[0], headers | own[1]
                elif any(n.endswith((".c", ".h")) for n in names):
                    self.fault(folder, "a folder with source has no .may_include")
                self.allowed[rel] = (rooms, headers)

    def system_header(self, folder, name):
        if name in C_LIBRARY or name.startswith(C_LIBRARY_FOLDERS):
            return True
        return any(name == h or (h.endswith("/") and name.startswith(h)) for h in self.allowed[folder][1])

    def check_file(self, folder, path):
        self.files += 1
        with open(path, encoding="utf-8") as f:
            for number, line in enumerate(f, 1):
                m = INCLUDE.match(line)
                if not m:
                    continue
                where, name = f"{path}:{number}", m.group(2)
                if m.group(1) == "<":
                    if not self.system_header(folder, name):
                        self.fault(where, f"<{name}> may not be seen in {folder}/; its .may_include does not list it")
                    continue
                target = os.path.dirname(name)
                if target not in self.allowed or not os.path.exists(os.path.join(self.src, name)):
                    self.fault(where, f'"{name}" is no file under src/; includes are written from there')
                elif target != folder and target not in self.allowed[folder][0]:
                    self.fault(where, f"{folder}/ may not include {target}/")

    def check_build_table(self):
        path = os.path.join(self.src, "meson.build")
        if not os.path.exists(path):
            return
        with open(path, encoding="utf-8") as f:
            text = f.read()
        order = []
        for room, below in re.findall(r"^  \['(\w+)', \w+_sources, \[[^\]]*\], \[([^\]]*)\]\],$", text, re.M):
            linked = set(re.findall(r"'(\w+)'", below))
            listed = {r for r in self.allowed.get(room, (set(), set()))[0] if "/" not in r}
            for other in sorted(linked ^ listed):
                self.fault(path, f"{room}: {other} stands in only one of the build's table and {room}/.may_include")
            for other in sorted(linked - set(order)):
                self.fault(path, f"{room} includes {other}, which does not come before it")
            order.append(room)
        for room in sorted(r for r in self.allowed if "/" not in r and r not in order):
            self.fault(path, f"room {room} is not in the build's table")

    def check_build_lists(self):
        """Every .c file of a room stands in the room's list, or it is silently not built."""
        for room in (r for r in self.allowed if "/" not in r):
            path = os.path.join(self.src, room, "meson.build")
            if not os.path.exists(path):
                continue
            with open(path, encoding="utf-8") as f:
                listed = set(re.findall(r"'([^']+\.c)'", f.read()))
            for folder, _, names in os.walk(os.path.join(self.src, room)):
                for name in sorted(names):
                    rel = os.path.relpath(os.path.join(folder, name), os.path.join(self.src, room))
                    # main.c is the program's, not the room's library's.
                    if name.endswith(".c") and rel not in listed and (room, rel) != ("app", "main.c"):
                        self.fault(path, f"{rel} is not in the list")

    def run(self):
        self.load()
        for folder in sorted(self.allowed):
            full = os.path.join(self.src, folder)
            for name in sorted(os.listdir(full)):
                if name.endswith((".c", ".h")):
                    self.check_file(folder, os.path.join(full, name))
        self.check_build_table()
        self.check_build_lists()


def main():
    top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    checker = Checker(os.path.relpath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(top, "src")))
    checker.run()
    for line in checker.faults:
        print(line)
    if not checker.faults:
        print(f"rooms: {checker.files} files include only what they may")
    return 1 if checker.faults else 0


if __name__ == "__main__":
    sys.exit(main())
