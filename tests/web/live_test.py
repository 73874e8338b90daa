#!/usr/bin/python3
"""The server of `galley step --web`: who gets an answer, and whether the answers are right.

    live_test.py FOLDER_WITH_GALLEY
"""
import base64
import json
import struct
import subprocess
import sys
import unittest

from live_server import LiveServer

GALLEY = ""


def values(trace, pass_index, name):
    index = next(i for i, op in enumerate(trace["ops"]) if op["name"] == name)
    data = base64.b64decode(trace["passes"][pass_index]["ops"][index]["values"])
    return struct.unpack(f"<{len(data) // 4}f", data)


def model_text(trace):
    return "".join(t["text"] for t in trace["tokens"] if t["from"] == "model")


class Live(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = LiveServer(GALLEY, "-p", "Once upon a time", "-n", "4", "--temp", "0", "-t", "1")

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == 130

    def setUp(self):
        self.server.ask("run", prompt="Once upon a time", n=4, temperature=0, seed=0)

    def test_only_who_knows_the_token_is_answered(self):
        ask = self.server.request
        self.assertEqual(ask("GET", "/?token=" + self.server.token)[0], 200)
        self.assertEqual(ask("GET", "/")[0], 403)
        self.assertEqual(ask("GET", "/?token=" + "0" * 32)[0], 403)
        self.assertEqual(ask("GET", "/api/trace", X_Galley_Token=None)[0], 403)
        self.assertEqual(ask("POST", "/api/state", {}, X_Galley_Token="x")[0], 403)
        self.assertEqual(ask("POST", "/api/state?token=" + self.server.token, {}, X_Galley_Token=None)[0], 403)

    def test_other_names_and_other_pages_are_refused(self):
        ask, port = self.server.request, self.server.port
        self.assertEqual(ask("GET", "/api/trace", Host=f"localhost:{port}")[0], 200)
        self.assertEqual(ask("GET", "/api/trace", Host=f"evil.example:{port}")[0], 403)
        self.assertEqual(ask("GET", "/api/trace", Host="127.0.0.1")[0], 403)
        self.assertEqual(ask("GET", "/api/trace", Origin=f"http://127.0.0.1:{port}")[0], 200)
        self.assertEqual(ask("GET", "/api/trace", Origin="http://evil.example")[0], 403)
        self.assertEqual(ask("GET", "/api/trace", Origin="null")[0], 403)

    def test_wrong_requests_get_one_line(self):
        for name, body in [("run", {}), ("run", {"prompt": 7, "n": 4, "temperature": 0, "seed": 0}),
                           ("run", {"prompt": "a", "n": 0, "temperature": 0, "seed": 0}),
                           ("run", {"prompt": "a", "n": 4, "temperature": -1, "seed": 0}),
                           ("run", {"prompt": "a " * 600, "n": 4, "temperature": 0, "seed": 0}),
                           ("command", {"line": "fly"}), ("command", {}), ("nothing", {}),
                           ("explain", {"op": "blk.9.q", "position": 0, "column": 0}),
                           ("explain", {"op": "blk.0.q", "position": 99, "column": 0}),
                           ("change", {"op": "blk.0.q", "positions": [3, 1], "columns": [], "kind": "set", "amount": 0}),
                           ("change", {"op": "blk.0.q", "positions": [], "columns": [0, 9999], "kind": "set", "amount": 0}),
                           ("state", b"{not json"), ("state", [1])]:
            status, text = self.server.request("POST", f"/api/{name}", body)
            self.assertEqual(status, 200)
            self.assertEqual(list(json.loads(text)), ["error"], (name, body, text))
            self.assertNotIn("\n", text)
        self.assertEqual(self.server.request("POST", "/api/state", b"x" * (2 << 20))[0], 413)
        self.assertEqual(model_text(self.server.trace()), self.server.ask("state")["text_now"])

    def test_the_trace_is_that_of_galley_trace(self):
        run = subprocess.run([GALLEY, "trace", "-p", "Once upon a time", "-n", "4", "--temp", "0",
                              "-o", "-", "--no-limits"], capture_output=True, check=True, stdin=subprocess.DEVNULL)
        written = json.loads(run.stdout)
        served = self.server.trace()
        self.assertEqual(written["tokens"], served["tokens"])
        for name in ("blk.2.ffn_up", "logits"):
            for p in range(4):
                self.assertEqual(values(written, p, name), values(served, p, name))

    def test_numbers_are_explained_to_the_bit(self):
        trace = self.server.trace()
        ops = {op["name"]: i for i, op in enumerate(trace["ops"])}
        for name, position in [("blk.1.q", 2), ("blk.3.ffn_out", 6), ("blk.0.attn", 5), ("blk.2.attn_norm", 7), ("embd", 0)]:
            reply = self.server.ask("explain", op=name, position=position, column=3)
            self.assertTrue(reply["same_bits"], name)
            index = next(i for i, p in enumerate(trace["passes"])
                         if p["first_position"] <= position < p["first_position"] + p["n_tokens"])
            row = position - trace["passes"][index]["first_position"]
            width = trace["ops"][ops[name]]["width"]
            self.assertEqual(struct.pack("<f", reply["engine"]),
                             struct.pack("<f", values(trace, index, name)[row * width + 3]))

    def test_a_change_changes_the_run_and_undo_takes_it_back(self):
        before = self.server.trace()
        reply = self.server.ask("change", op="blk.1.attn_out", positions=[], columns=[], kind="set", amount=0)
        self.assertTrue(reply["traced"])
        self.assertEqual(len(reply["changes"]), 1)
        after = self.server.trace()
        self.assertEqual(set(values(after, 0, "blk.1.attn_out")), {0.0})
        self.assertEqual(values(after, 0, "blk.1.q"), values(before, 0, "blk.1.q"))
        self.assertNotEqual(values(after, 0, "logits"), values(before, 0, "logits"))
        self.assertEqual(reply["text_unchanged"], model_text(before))
        self.assertEqual(reply["text_now"], model_text(after))
        reply = self.server.ask("command", line="undo")
        self.assertEqual(reply["changes"], [])
        self.assertEqual(values(self.server.trace(), 0, "logits"), values(before, 0, "logits"))

    def test_the_debugger_moves_stops_and_picks(self):
        at = self.server.ask("command", line="run-until blk.2.q")["position"]
        self.assertEqual(at["made"], "blk.2.q")
        reply = self.server.ask("command", line="break blk.4.attn")
        self.assertEqual(reply["breakpoints"][0]["ops"], ["blk.4.attn"])
        self.assertEqual(self.server.ask("command", line="continue")["position"]["made"], "blk.4.attn")
        self.server.ask("command", line="delete")
        self.server.ask("command", line="token")
        made = self.server.ask("state")["text_now"]
        self.server.ask("command", line="restart")
        self.server.ask("command", line='pick " the"')
        reply = self.server.ask("command", line="token")
        self.assertTrue(reply["traced"])
        self.assertTrue(reply["text_now"].startswith(" the"), (made, reply["text_now"]))


class Ports(unittest.TestCase):
    def test_a_port_that_is_taken_or_wrong_is_refused(self):
        server = LiveServer(GALLEY, "-p", "a", "-n", "1")
        try:
            for port, code in ((server.port, 1), (70000, 2)):
                run = subprocess.run([GALLEY, "step", "--web", "-p", "a", "--port", str(port)], stdin=subprocess.DEVNULL,
                                     capture_output=True, text=True, timeout=60)
                self.assertEqual(run.returncode, code, run.stderr)
                self.assertEqual(run.stderr.count("\n"), 1, run.stderr)
        finally:
            self.assertEqual(server.stop(), 130)


if __name__ == "__main__":
    GALLEY = sys.argv.pop(1) + "/galley"
    unittest.main()
