"""A real browser, driven over the DevTools protocol through a pair of pipes (--remote-debugging-pipe): one JSON text after the other, each ended by NUL.

    with Browser(folder) as browser:
        tab = browser.tab()
        tab.go("http://127.0.0.1:8080/")
        tab.run("document.title")             -> the value of an expression; promises are awaited
        tab.until("document.title == 'x'")    waits
        tab.answers("/path")                  -> the statuses of what was loaded from there, as the server sent them
"""
import base64
import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
import time

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def program():
    return next((p for p in map(shutil.which, NAMES) if p), None)


class Tab:
    def __init__(self, browser, target, session, prompt):
        self.browser, self.target, self.session, self.prompt = browser, target, session, prompt
        self.loads, self.requests, self.statuses = 0, {}, {}
        self.said = []  # what the page wrote to its console, and errors nobody caught

    def call(self, method, **params):
        return self.browser.call(method, params, self.session)

    def event(self, name, p):
        if name == "Page.loadEventFired":
            self.loads += 1
        elif name == "Page.javascriptDialogOpening":
            self.browser.send("Page.handleJavaScriptDialog", {"accept": True, "promptText": self.prompt}, self.session)
        elif name == "Network.requestWillBeSent":
            self.requests[p["requestId"]] = (p["request"]["method"], p["request"]["url"])
        elif name == "Network.responseReceivedExtraInfo":
            self.statuses.setdefault(p["requestId"], []).append(p["statusCode"])
        elif name == "Runtime.exceptionThrown":
            self.said.append(json.dumps(p["exceptionDetails"]))

    def go(self, url):
        """Open, and wait until it is loaded."""
        before = self.loads
        answer = self.call("Page.navigate", url=url)
        assert not answer.get("errorText"), (url, answer)
        self.browser.wait(lambda: self.loads > before, f"{url} is loaded")

    def reload(self):
        before = self.loads
        self.call("Page.reload")
        self.browser.wait(lambda: self.loads > before, "it is loaded again")

    def run(self, expression):
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True)
        assert "exceptionDetails" not in answer, (expression, answer)
        return answer["result"].get("value")

    def until(self, expression):
        self.browser.wait(lambda: self.run(expression), lambda: f"{expression}; the page: {self.run('document.body.innerText')!r}")

    def type(self, selector, text):
        self.run(f"document.querySelector({json.dumps(selector)}).focus()")
        self.call("Input.insertText", text=text)

    def choose_file(self, selector, path):
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def answers(self, path, method="GET"):
        return [status for i, (m, url) in list(self.requests.items()) if m == method and url.split("?")[0].endswith(path)
                for status in self.statuses.get(i, [])]

    def close(self):
        self.browser.call("Target.closeTarget", {"targetId": self.target})

    def picture(self, path):
        with open(path, "wb") as f:
            f.write(base64.b64decode(self.call("Page.captureScreenshot")["data"]))


class Browser:
    def __init__(self, seconds=20):
        self.seconds = seconds

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        (theirs_in, self.out), (self.input, theirs_out) = os.pipe(), os.pipe()
        # It reads descriptor 3 and writes descriptor 4.
        arrange = f"exec 3<&{theirs_in} 4>&{theirs_out}; exec \"$@\""
        self.process = subprocess.Popen(
            ["bash", "-c", arrange, "browser", program(), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--no-proxy-server", "--remote-debugging-pipe",
             f"--user-data-dir={self.folder.name}", "--window-size=800,600", "about:blank"],
            pass_fds=(theirs_in, theirs_out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(theirs_in)
        os.close(theirs_out)
        self.last, self.waiting, self.tabs, self.lock = 0, {}, {}, threading.Lock()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        return self

    def __exit__(self, *_):
        try:
            self.send("Browser.close", {})
            self.process.wait(10)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        os.close(self.out)
        self.reader.join(10)
        os.close(self.input)
        self.folder.cleanup()

    def read(self):
        data = b""
        while chunk := os.read(self.input, 1 << 16):
            *texts, data = (data + chunk).split(b"\0")
            for message in map(json.loads, texts):
                if "id" in message:
                    waiter = self.waiting.pop(message["id"], None)
                    if waiter:
                        waiter.put(message)
                elif message.get("sessionId") in self.tabs:
                    self.tabs[message["sessionId"]].event(message["method"], message["params"])
        for waiter in list(self.waiting.values()):
            waiter.put({"error": "the browser ended"})

    def send(self, method, params, session=None, waiter=None):
        with self.lock:
            self.last += 1
            if waiter:
                self.waiting[self.last] = waiter
            text = json.dumps({"id": self.last, "method": method, "params": params, **({"sessionId": session} if session else {})})
            data = text.encode() + b"\0"
            while data:
                data = data[os.write(self.out, data):]

    def call(self, method, params, session=None):
        waiter = queue.Queue()
        self.send(method, params, session, waiter)
        answer = waiter.get(timeout=self.seconds)
        assert "error" not in answer, (method, answer)
        return answer["result"]

    def wait(self, condition, what):
        end = time.monotonic() + self.seconds
        while not condition():
            assert time.monotonic() < end, f"does not come true: {what() if callable(what) else what}"
            time.sleep(0.05)

    def tab(self, prompt=""):
        """A new tab; `prompt` answers the questions that its pages ask."""
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        self.tabs[session] = Tab(self, target, session, prompt)
        for domain in ("Page", "Runtime", "Network", "DOM"):
            self.tabs[session].call(domain + ".enable")
        return self.tabs[session]
