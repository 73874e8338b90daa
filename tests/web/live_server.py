"""Starts `galley step --web`, asks it things, and ends it with Ctrl-C. Used by the tests here."""
import http.client
import json
import signal
import subprocess
import urllib.parse


class LiveServer:
    def __init__(self, galley, *arguments):
        self.process = subprocess.Popen([galley, "step", "--web", *arguments], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()
        if not self.url.startswith("http://127.0.0.1:"):
            raise RuntimeError("no address: " + self.process.stderr.read())
        parts = urllib.parse.urlsplit(self.url)
        self.port = parts.port
        self.token = urllib.parse.parse_qs(parts.query)["token"][0]

    def request(self, method, path, body=None, **headers):
        """Status and text of a raw request; headers replace those of a page that knows the token."""
        everything = {"X-Galley-Token": self.token, "Host": f"127.0.0.1:{self.port}"}
        everything.update({name.replace("_", "-"): value for name, value in headers.items()})
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.putrequest(method, path, skip_host=True)
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        for name, value in everything.items():
            if value is not None:
                connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(data)))
        connection.endheaders(data)
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        return response.status, text

    def ask(self, name, **request):
        """The reply to a request of the page, which must succeed."""
        status, text = self.request("POST", f"/api/{name}", request)
        if status != 200 or text.startswith('{"error"'):
            raise RuntimeError(f"{name}: {status} {text}")
        return json.loads(text)

    def trace(self):
        status, text = self.request("GET", "/api/trace")
        assert status == 200, text
        return json.loads(text)

    def stop(self):
        """Ctrl-C; returns the exit code."""
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(timeout=20)
        self.process.stdout.close()
        self.process.stderr.close()
        return code
