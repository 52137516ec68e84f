"""The pages of examples/ in a real browser: WebSockets, events, uploads, its cache, pages of other origins, tokens.

Pictures of what it shows lie in the tests' temporary folder (pytest --basetemp tells where)."""
import contextlib
import os
import re
import shutil
import socket
import time

import pytest

from browser import Browser, program
from web import free_port


@pytest.fixture(scope="module")
def browser(slower):
    if not program():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("no Chromium is installed")
    with Browser(30 * slower) as b:
        yield b


@contextlib.contextmanager
def example(wippy, examples, folder, name, slower):
    """examples/<name>, copied, on a free port: gives the port."""
    port = free_port()
    shutil.copytree(examples / name, folder / name)
    index = folder / name / "src" / "_index.yaml"
    index.write_text(re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{port}", index.read_text()))
    with wippy.start(folder / name, "run") as running:
        end = time.monotonic() + 15 * slower
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            assert time.monotonic() < end and running.proc.poll() is None, "".join(running.stdout + running.stderr)
            time.sleep(0.05)
        yield port
        running.signal()
        assert running.wait() == 0, "".join(running.stderr)[-3000:]


def test_two_tabs_chat(wippy, examples, tmp_path, browser, slower):
    with example(wippy, examples, tmp_path, "chat", slower) as port:
        ann, bob = browser.tab("ann"), browser.tab("bob")
        ann.go(f"http://127.0.0.1:{port}/")
        ann.until("said.innerText.includes('You are ann')")
        bob.go(f"http://127.0.0.1:{port}/")
        ann.until("said.innerText.includes('bob came')")
        for tab, words in ((bob, "hello, ann \u2603"), (ann, "<b>hello</b>, bob")):
            tab.type("#text", words)
            tab.run("document.querySelector('button').click()")
            ann.until(f"said.innerText.includes({words!r})")
            bob.until(f"said.innerText.includes({words!r})")
        ann.picture(tmp_path / "chat.png")
        bob.close()
        ann.until("said.innerText.includes('bob left')")
        assert not ann.said and not bob.said


def test_events_tick(wippy, examples, tmp_path, browser, slower):
    with example(wippy, examples, tmp_path, "ticker", slower) as port:
        tab = browser.tab()
        tab.go(f"http://127.0.0.1:{port}/")
        tab.until("Number(n.textContent) >= 5")
        tab.picture(tmp_path / "ticker.png")
        # A stream that ends on purpose stays ended.
        tab.run("new Promise((done) => { const s = new EventSource('/ticks?count=3'); window.got = [];"
                "s.addEventListener('tick', (e) => got.push(JSON.parse(e.data).n));"
                "s.addEventListener('done', (e) => { got.push(JSON.parse(e.data).reason); s.close(); done(); }); })")
        assert tab.run("got") == [1, 2, 3, "that was all"]
        assert not tab.said
        tab.close()


def test_a_file_goes_up_and_comes_down(wippy, examples, tmp_path, browser, slower):
    sent = tmp_path / "photo.bin"
    sent.write_bytes(bytes(range(256)) * 20000)
    with example(wippy, examples, tmp_path, "files", slower) as port:
        tab = browser.tab()
        tab.go(f"http://127.0.0.1:{port}/")
        tab.picture(tmp_path / "files.png")
        tab.choose_file("input[type=file]", sent)
        tab.run("document.querySelector('button').click()")
        tab.until("document.body.innerText.includes('photo.bin')")
        tab.picture(tmp_path / "uploaded.png")
        assert (tmp_path / "files" / "uploads" / "photo.bin").read_bytes() == sent.read_bytes()
        assert tab.run("fetch('/uploads/photo.bin').then((a) => a.arrayBuffer()).then((b) => b.byteLength)") == 256 * 20000
        assert tab.run("fetch('/uploads/photo.bin', {headers: {Range: 'bytes=65-67'}}).then(async (a) => [a.status, await a.text()])") == [206, "ABC"]


def test_a_page_with_tokens(wippy, examples, tmp_path, browser, slower):
    with example(wippy, examples, tmp_path, "page", slower) as port:
        url = f"http://127.0.0.1:{port}"
        tab = browser.tab()
        tab.go(url + "/")
        tab.until("!document.getElementById('login').hidden")
        tab.type("#name", "ann")
        tab.type("#password", "guess")
        tab.run("document.querySelector('#login button').click()")
        tab.until("wrong.textContent == 'That is not the password.'")
        tab.picture(tmp_path / "login.png")
        tab.run("password.value = ''")
        tab.type("#password", "open sesame")
        tab.run("document.querySelector('#login button').click()")
        tab.until("!tasks.hidden")
        for task in ("buy milk", "<i>feed</i> the cat"):
            tab.type("#text", task)
            tab.run("document.querySelector('#add button').click()")
            tab.until(f"list.innerText.includes({task!r})")
        tab.picture(tmp_path / "tasks.png")
        # The page's own paths are all the same file, which the browser has, and asks about.
        tab.go(url + "/about")
        tab.until("!about.hidden")
        tab.reload()
        tab.until("!about.hidden")
        assert tab.answers("/style.css")[0] == 200 and tab.answers("/style.css")[-1] == 304, tab.statuses
        assert tab.answers("/about")[-1] == 304
        tab.run("document.querySelector('nav a').click()")
        tab.until("!tasks.hidden && list.children.length == 2")
        assert not tab.said


def test_pages_of_other_origins(wippy, examples, tmp_path, browser, slower):
    """A browser asks before it sends a token to another origin, and gives the page no answer that is not meant for it."""
    ask = "fetch('{}/api/tasks', {{headers: {{Authorization: 'Bearer x'}}}}).then((a) => a.status, () => 'not for us')"
    with example(wippy, examples, tmp_path, "page", slower) as port, example(wippy, examples, tmp_path, "ticker", slower) as other:
        tab = browser.tab()
        tab.go(f"http://localhost:{other}/")
        assert tab.run(ask.format(f"http://127.0.0.1:{port}")) == 401
        assert tab.answers("/api/tasks", "OPTIONS") == [204]
        stranger = browser.tab()
        stranger.go(f"http://127.0.0.1:{other}/")
        assert stranger.run(ask.format(f"http://127.0.0.1:{port}")) == "not for us"
        assert stranger.answers("/api/tasks", "OPTIONS") == [204]  # without a word that allows it
        assert stranger.answers("/api/tasks") == []
        tab.close()
        stranger.close()
