"""http.static: files of a folder over HTTP, asked for with raw sockets."""
import email.utils
import gzip
import os
import time

import pytest

from web import Answer, folder_entry, free_port, mount, serving, write_project

THEN = 784111777  # Sun, 06 Nov 1994 08:49:37 GMT
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
ALPHABET = b"abcdefghijklmnopqrstuvwxyz"
BIG = bytes(range(256)) * 12000  # 3 MB: more than any buffer on the way
SCRIPT = b"console.log('hello');\n" * 200

FILES = {
    "public/hello.txt": b"hello, world\n",
    "public/alphabet.bin": ALPHABET,
    "public/empty.txt": b"",
    "public/page": b"<!DOCTYPE html><title>x</title>",
    "public/big.bin": BIG,
    "public/app.js": SCRIPT,
    "public/app.js.gz": gzip.compress(SCRIPT),
    "public/app.js.br": b"(brotli)",
    "public/only.css": b"body {}\n",
    "public/only.css.gz": gzip.compress(b"body {}\n"),
    "public/sub/index.html": b"<p>index of sub</p>",
    "public/sub/deep/file.txt": b"deep\n",
    "public/odd/a b&c<d>.txt": b"odd\n",
    "public/odd/x:y.txt": b"colon\n",
    "public/odd/100%.txt": b"percent\n",
    "public/odd/\u00e9.txt": b"accent\n",
    "public/odd/folder/x": b"x",
    "spa/index.html": b"<p>the app</p>",
    "spa/assets/app.js": b"app();\n",
    "secret.txt": b"not for you",
}


@pytest.fixture(scope="module")
def web(wippy, slower, tmp_path_factory):
    folder = tmp_path_factory.mktemp("static")
    entries = [
        folder_entry("files", "./public"),
        folder_entry("app", "./spa"),
        mount("plain", "/files", static_options={"cache": "max-age=60"}),
        mount("small", "/small", static_options={"precompressed": True}),
        mount("single", "/", fs="app", static_options={"spa": True, "index": "index.html"}),
    ]
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (THEN, THEN))
    os.symlink("../secret.txt", folder / "public/out.txt")
    os.symlink("/etc", folder / "public/etc")
    os.symlink("hello.txt", folder / "public/link.txt")
    os.mkfifo(folder / "public/pipe")
    with serving(wippy, folder, entries, slower=slower) as w:
        w.folder = folder
        yield w


def test_a_file(web):
    a = web.get("/files/hello.txt")
    assert (a.status, a.body) == (200, b"hello, world\n")
    assert a["Content-Type"] == "text/plain; charset=utf-8"
    assert a["Content-Length"] == "13"
    assert a["Last-Modified"] == DATE
    assert a["Accept-Ranges"] == "bytes"
    assert a["Cache-Control"] == "max-age=60"
    assert a["ETag"] is None


@pytest.mark.parametrize("target, kind, body", [
    ("/files/empty.txt", "text/plain; charset=utf-8", b""),
    ("/files/page", "text/html; charset=utf-8", FILES["public/page"]),
    ("/files/app.js", "text/javascript; charset=utf-8", SCRIPT),
    ("/files/alphabet.bin", "application/octet-stream", ALPHABET),
    ("/files/link.txt", "text/plain; charset=utf-8", b"hello, world\n"),
    ("/files/odd/a%20b%26c%3Cd%3E.txt", "text/plain; charset=utf-8", b"odd\n"),
    ("/files/odd/100%25.txt", "text/plain; charset=utf-8", b"percent\n"),
    ("/files/odd/%C3%A9.txt", "text/plain; charset=utf-8", b"accent\n"),
    ("/files/hello.txt?query=1", "text/plain; charset=utf-8", b"hello, world\n"),
    ("/files/sub/", "text/html; charset=utf-8", b"<p>index of sub</p>"),
])
def test_types(web, target, kind, body):
    a = web.get(target)
    assert (a.status, a["Content-Type"], a.body) == (200, kind, body)
    assert a["Content-Length"] == str(len(body))


def test_a_big_file_whole_and_in_part(web):
    a = web.get("/files/big.bin")
    assert a.status == 200 and a.body == BIG
    a = web.get("/files/big.bin", "Range: bytes=1000000-2999999")
    assert a.status == 206 and a.body == BIG[1000000:3000000]


def test_methods(web):
    head = web.ask("HEAD", "/files/hello.txt")
    assert (head.status, head.body, head["Content-Length"]) == (200, b"", "13")
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        assert web.ask(method, "/files/hello.txt", body=b"x" * 1000).body == b"hello, world\n"


@pytest.mark.parametrize("target, location", [
    ("/files", "/files/"),
    ("/files?a=b", "/files/?a=b"),
])
def test_the_mount_itself(web, target, location):
    a = web.get(target)
    assert (a.status, a["Location"]) == (307, location)


@pytest.mark.parametrize("target, location", [
    ("/files/sub", "sub/"),
    ("/files/sub?a=b&c", "sub/?a=b&c"),
    ("/files/sub/index.html", "./"),
    ("/files/index.html", "./"),
    ("/files/hello.txt/", "../hello.txt"),
    ("/files/hello.txt/?x=1", "../hello.txt?x=1"),
    ("/files/odd/x%3Ay.txt/", ".././x:y.txt"),
    ("/files/odd/100%25.txt/", "../100%25.txt"),
])
def test_redirects(web, target, location):
    a = web.get(target)
    assert (a.status, a["Location"], a.body) == (301, location, b"")


@pytest.mark.parametrize("target, status, text", [
    ("/files/missing", 404, b"404 page not found\n"),
    ("/files/hello.txt/under", 404, b"404 page not found\n"),
    ("/files/" + "x" * 300, 404, b"404 page not found\n"),
    ("/files/" + "x/" * 3000, 404, b"404 page not found\n"),
    ("/files/pipe", 404, b"404 page not found\n"),
    ("/files/out.txt", 403, b"403 Forbidden\n"),
    ("/files/etc/passwd", 403, b"403 Forbidden\n"),
    ("/files/etc/", 403, b"403 Forbidden\n"),
])
def test_failures(web, target, status, text):
    a = web.get(target)
    assert (a.status, a.body) == (status, text)
    assert a["Cache-Control"] is None and a["Last-Modified"] is None
    assert a["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("target", [
    "/files/../secret.txt", "/files/%2e%2e/secret.txt", "/files/..%2fsecret.txt", "/files/%2e%2e%2fsecret.txt",
    "/files/sub/..%2f..%2fsecret.txt", "/files/..%2f..%2f..%2f..%2f..%2f..%2fetc/passwd", "/files//etc/passwd",
    "/files/..\\secret.txt", "/files/%2fetc/passwd", "/files/%00/../secret.txt", "/files/hello.txt%00.png",
    "/files/%252e%252e/secret.txt", "/files/out.txt/../../secret.txt",
])
def test_no_way_out(web, target):
    a = web.get(target)
    assert a.status in (307, 400, 403, 404, 200), a
    assert b"not for you" not in a.body and b"root:" not in a.body
    if a.status == 200:  # the single-page app at / answers what leaves /files
        assert a.body == b"<p>the app</p>"


def test_listing(web):
    a = web.get("/files/odd/")
    assert a.status == 200 and a["Content-Type"] == "text/html; charset=utf-8"
    text = a.body.decode()
    links = [line for line in text.splitlines() if line.startswith("<a ")]
    assert links == [
        '<a href="100%25.txt">100%.txt</a>',
        '<a href="a%20b%26c%3Cd%3E.txt">a b&amp;c&lt;d&gt;.txt</a>',
        '<a href="folder/">folder/</a>',
        '<a href="./x:y.txt">x:y.txt</a>',
        '<a href="%C3%A9.txt">\u00e9.txt</a>',
    ]
    assert web.ask("HEAD", "/files/odd/").body == b""


@pytest.mark.parametrize("spec, status, content_range, body", [
    ("bytes=0-0", 206, "bytes 0-0/26", b"a"),
    ("bytes=2-4", 206, "bytes 2-4/26", b"cde"),
    ("bytes=20-", 206, "bytes 20-25/26", b"uvwxyz"),
    ("bytes=-3", 206, "bytes 23-25/26", b"xyz"),
    ("bytes=-300", 206, "bytes 0-25/26", ALPHABET),
    ("bytes=25-99", 206, "bytes 25-25/26", b"z"),
    ("bytes=26-", 416, "bytes */26", None),
    ("bytes=5-2", 416, "bytes */26", None),
    ("bytes=0-20,0-20", 200, None, ALPHABET),
    ("letters=1-2", 200, None, ALPHABET),
])
def test_one_range(web, spec, status, content_range, body):
    a = web.get("/files/alphabet.bin", f"Range: {spec}")
    assert (a.status, a["Content-Range"]) == (status, content_range)
    if body is None:
        assert a["Cache-Control"] is None and a["Last-Modified"] is None
    else:
        assert a.body == body and a["Content-Length"] == str(len(body))


def test_range_of_an_empty_file_and_of_head(web):
    assert web.get("/files/empty.txt", "Range: bytes=0-").status == 200
    a = web.ask("HEAD", "/files/alphabet.bin", "Range: bytes=0-1")
    assert (a.status, a["Content-Length"]) == (200, "26")


def test_several_ranges(web):
    a = web.get("/files/alphabet.bin", "Range: bytes=0-1, 24-, 10-10")
    assert a.status == 206 and a.whole
    kind, _, boundary = a["Content-Type"].partition("; boundary=")
    assert kind == "multipart/byteranges" and boundary
    parts = a.body.split(b"--" + boundary.encode())
    assert parts[0] == b"" and parts[-1] == b"--\r\n"
    got = []
    for part in parts[1:-1]:
        head, _, body = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        got.append((head.split(b"\r\n"), body.removesuffix(b"\r\n")))
    octets = b"Content-Type: application/octet-stream"
    assert got == [([b"Content-Range: bytes 0-1/26", octets], b"ab"), ([b"Content-Range: bytes 24-25/26", octets], b"yz"),
                   ([b"Content-Range: bytes 10-10/26", octets], b"k")]


def test_several_big_ranges(web):
    a = web.get("/files/big.bin", "Range: bytes=0-999999,1500000-2899999")
    assert a.status == 206 and a.whole
    assert BIG[:1000000] in a.body and BIG[1500000:2900000] in a.body


@pytest.mark.parametrize("field, status", [
    (f"If-Modified-Since: {DATE}", 304),
    ("If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT", 304),
    ("If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT", 200),
    ("If-Modified-Since: nonsense", 200),
    (f"If-Unmodified-Since: {DATE}", 200),
    ("If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT", 412),
    ('If-Match: "x"', 412),
    ('If-None-Match: "x"', 200),
    ("If-None-Match: *", 304),
])
def test_conditions(web, field, status):
    a = web.get("/files/hello.txt", field)
    assert a.status == status
    assert a.body == (b"hello, world\n" if status == 200 else b"")
    if status == 304:
        assert a["Last-Modified"] == DATE and a["Cache-Control"] == "max-age=60" and a["Content-Type"] is None
    assert web.ask("POST", "/files/hello.txt", f"If-Modified-Since: {DATE}").status == 200


@pytest.mark.parametrize("condition, status", [(DATE, 206), ("Sun, 06 Nov 1994 08:49:36 GMT", 200), ('"x"', 200)])
def test_if_range(web, condition, status):
    a = web.get("/files/alphabet.bin", "Range: bytes=0-1", f"If-Range: {condition}")
    assert (a.status, a.body) == (status, b"ab" if status == 206 else ALPHABET)


@pytest.mark.parametrize("accept, target, coding", [
    (None, "/small/app.js", None),
    ("gzip", "/small/app.js", "gzip"),
    ("br, gzip", "/small/app.js", "br"),
    ("br;q=0.5, gzip;q=0.8", "/small/app.js", "gzip"),
    ("br, gzip", "/small/only.css", "gzip"),
    ("br", "/small/only.css", None),
    ("gzip;q=0", "/small/app.js", None),
    ("gzip", "/files/app.js", None),  # only where it was asked for
])
def test_precompressed(web, accept, target, coding):
    a = web.get(target, *[f"Accept-Encoding: {accept}"] if accept else [])
    name = target.rpartition("/")[2]
    on_disk = {None: "", "gzip": ".gz", "br": ".br"}[coding]
    assert (a.status, a["Content-Encoding"], a.body) == (200, coding, FILES[f"public/{name}{on_disk}"])
    assert a["Content-Type"] == ("text/javascript; charset=utf-8" if "js" in name else "text/css; charset=utf-8")
    assert a["Vary"] == ("Accept-Encoding" if target.startswith("/small") else None)


@pytest.mark.parametrize("target, status, body", [
    ("/", 200, b"<p>the app</p>"),
    ("/users/17", 200, b"<p>the app</p>"),
    ("/users/17/", 200, b"<p>the app</p>"),
    ("/assets/app.js", 200, b"app();\n"),
    ("/assets/gone.js", 200, b"<p>the app</p>"),
    ("/index.html", 301, b""),
    ("/assets", 301, b""),
])
def test_single_page(web, target, status, body):
    a = web.get(target)
    assert (a.status, a.body) == (status, body)
    if body == b"<p>the app</p>":
        assert a["Content-Type"] == "text/html; charset=utf-8" and a["Last-Modified"] == DATE
        assert web.get(target, f"If-Modified-Since: {DATE}").status == 304


def test_single_page_lists_directories(web):
    assert b'<a href="app.js">' in web.get("/assets/").body


def test_kept_alive_and_pipelined(web):
    ask = b"GET /files/%s HTTP/1.1\r\nHost: h\r\n%s\r\n"
    got = web.raw(ask % (b"hello.txt", b"") + ask % (b"alphabet.bin", b"") + ask % (b"missing", b"") +
                  ask % (b"hello.txt", b"Connection: close\r\n"))
    assert got.count(b"HTTP/1.1 200") == 3 and got.count(b"HTTP/1.1 404") == 1
    assert got.index(b"hello, world") < got.index(ALPHABET) < got.index(b"404 page") < got.rindex(b"hello, world")


def test_a_slow_reader_and_one_that_leaves(web):
    """Neither holds up others; the file is read only as fast as it is taken."""
    several = b"GET /files/big.bin HTTP/1.1\r\nHost: h\r\nConnection: close\r\nRange: bytes=0-1499999,1500000-2999999\r\n\r\n"
    with web.connect(receive_buffer=4096) as slow, web.connect(receive_buffer=4096) as leaver:
        slow.sendall(several)
        leaver.sendall(several)
        assert leaver.recv(1000)
        leaver.close()
        time.sleep(0.3)
        for _ in range(20):
            assert web.get("/files/hello.txt").status == 200
        data = b""
        while chunk := slow.recv(65536):
            data += chunk
    a = Answer(data, "GET")
    assert a.status == 206 and a.whole and BIG[1500000:3000000] in a.body


def test_a_long_pipeline(web):
    """Files that are answered at once, and that do not fit into what the system takes, in one breath."""
    order = [(b"hello.txt", b"hello, world\n"), (b"alphabet.bin", ALPHABET), (b"sub/", b"<p>index of sub</p>"), (b"page", FILES["public/page"]),
             (b"app.js", SCRIPT), (b"big.bin", BIG)] * 6
    end = b"GET /files/none HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    data = web.raw(b"".join(b"GET /files/%s HTTP/1.1\r\nHost: h\r\n\r\n" % name for name, _ in order) + end)
    for name, body in order:
        head, _, data = data.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), (name, head)
        assert data[:len(body)] == body, name
        data = data[len(body):]
    assert Answer(data, "GET").status == 404


def test_many_at_once(web):
    socks = [web.connect() for _ in range(60)]
    for i, s in enumerate(socks):
        s.sendall(b"GET /files/%s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" %
                  (b"big.bin" if i % 10 == 0 else b"hello.txt"))
    for i, s in enumerate(socks):
        data = b""
        while chunk := s.recv(65536):
            data += chunk
        s.close()
        assert Answer(data, "GET").body == (BIG if i % 10 == 0 else b"hello, world\n")


def test_a_file_that_changes(web):
    path = web.folder / "public/changing.txt"
    path.write_text("one")
    first = web.get("/files/changing.txt")
    path.write_text("two!")
    assert (first.body, web.get("/files/changing.txt").body) == (b"one", b"two!")
    assert abs(email.utils.parsedate_to_datetime(first["Last-Modified"]).timestamp() - time.time()) < 60
    path.unlink()
    assert web.get("/files/changing.txt").status == 404


@pytest.mark.parametrize("entry, words", [
    (mount("bad", ""), "path is required"),
    (mount("bad", "x"), "path must start with /"),
    (mount("bad", "/x", static_options={"spa": True}), "index file must be specified for SPA mode"),
    (mount("bad", "/x", options={"spa": "true"}), "index file must be specified for SPA mode"),
    ({**mount("bad", "/x"), "meta": {}}, "server metadata is required"),
    (mount("bad", "/x", fs="none"), "filesystem not found"),
    ({**mount("bad", "/x"), "meta": {"server": "none"}}, "server not found"),
    (mount("bad", "/x", middleware=["nonesuch"]), "failed to create middleware: middleware not found: nonesuch"),
    (mount("bad", "/x", static_options=[]), "static_options"),
])
def test_a_bad_entry_is_refused(wippy, tmp_path, entry, words):
    server = {"name": "web", "kind": "http.service", "addr": f"127.0.0.1:{free_port()}", "lifecycle": {"auto_start": True}}
    write_project(tmp_path, [server, folder_entry("files", "./public"), entry], {"public/x": b"x"})
    r = wippy.run(tmp_path, "run")
    assert r.code != 0 and words in r.stdout + r.stderr, repr(r)
    assert "app:bad" in r.stdout + r.stderr


def test_a_path_is_mounted_once(wippy, tmp_path):
    server = {"name": "web", "kind": "http.service", "addr": f"127.0.0.1:{free_port()}"}
    write_project(tmp_path, [server, folder_entry("files", "./public"), mount("one", "/x"), mount("two", "/x/")],
                  {"public/x": b"x"})
    r = wippy.run(tmp_path, "run")
    assert r.code != 0 and "mount path already exists" in r.stdout + r.stderr, repr(r)


def test_the_older_form(wippy, slower, tmp_path):
    entries = [folder_entry("files", "./public"),
               mount("old", "/", options={"spa": "true", "index": "app.html", "cache": "no-store", "compress.min.length": 10},
                     middleware=["compress"])]
    with serving(wippy, tmp_path, entries, {"public/app.html": b"<p>" + b"x" * 100}, slower=slower) as web:
        a = web.get("/anything", "Accept-Encoding: gzip")
        assert (a.status, a["Content-Encoding"], a["Cache-Control"]) == (200, "gzip", "no-store")
        assert gzip.decompress(a.body) == b"<p>" + b"x" * 100
