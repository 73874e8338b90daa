#!/usr/bin/python3
"""bench/compare_peers and bench/plot, on made-up bench programs and results."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

BENCH = Path(__file__).resolve().parents[2] / "bench"

# A bench program that speaks one dialect: prefill takes 1 ms per token and 1 us per token before it,
# decoding ten times that.
PROGRAM = """#!{python}
import json, sys
DIALECT, SLOWNESS = "{dialect}", {slowness}
args = sys.argv[1:]
if "--help" in args:
    print("--n-gpu-layers <n>", {{"new": "-d, --n-depth <n>", "gp": "  -gp <pp,tg>  (default: )",
                                   "old": "  -pg <pp,tg>"}}[DIALECT])
    sys.exit()
def flag(name, default):
    return args[args.index(name) + 1] if name in args else default
if "-d" in args and DIALECT != "new":
    sys.exit("error: invalid parameter for argument: -d")
if ("-gp" in args) != (DIALECT == "gp" and "," in flag("-gp", "")):
    sys.exit("error: invalid parameter for argument: -gp")
def ns(n_prompt, n_gen, depth):
    first = sum(1e6 + 1e3 * (depth + i) for i in range(n_prompt))
    return SLOWNESS * (first + sum(1e7 + 1e4 * (depth + n_prompt + i) for i in range(n_gen)))
results = []
def add(n_prompt, n_gen, depth=0, skip=0):
    time = ns(n_prompt, n_gen, depth) - skip
    n = n_gen if skip else n_prompt + n_gen
    results.append(dict(n_prompt=n_prompt, n_gen=n_gen, avg_ns=time, avg_ts=n / time * 1e9))
    if DIALECT == "new":
        results[-1]["n_depth"] = depth
depth = int(flag("-d", 0))
for n in map(int, flag("-p", "512").split(",")):
    if n: add(n, 0, depth)
if int(flag("-n", 128)): add(0, int(flag("-n", 128)), depth)
for pair in ("-pg", "-gp"):
    if pair in args:
        p, n = map(int, flag(pair, "").split(","))
        add(p, n, 0, ns(p, 0, 0) if pair == "-gp" else 0)
print("some chatter")
print(json.dumps(results))
"""


class ComparePeers(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.model = self.folder / "model.gguf"
        self.model.write_text("")

    def program(self, name, dialect, slowness):
        path = self.folder / name
        path.write_text(PROGRAM.format(python=sys.executable, dialect=dialect, slowness=slowness))
        path.chmod(0o755)
        return path

    def compare(self, *arguments):
        galley = self.program("galley", "new", 1)
        return subprocess.run(
            [BENCH / "compare_peers", "--galley", galley, "-m", self.model, "-p", "64", "-n", "8",
             "--rounds", "2", "--prefix", "env", *arguments], capture_output=True, text=True)

    def test_ratios_in_every_dialect(self):
        peers = []
        for dialect, slowness in (("new", 2), ("gp", 3), ("old", 4)):
            peers += ["--peer", f"{dialect}={self.program(dialect, dialect, slowness)} -fa 1"]
        done = self.compare(*peers, "-d", "0", "256")
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = [line.split(" | ") for line in done.stdout.splitlines() if "model.gguf" in line]
        self.assertEqual([row[1] for row in rows],
                         ["pp64", "tg8", "pp64 @ d256", "tg8 @ d256"], done.stdout)
        for row in rows:
            self.assertEqual([cell.split(" ")[0] for cell in row[5::2]], ["2.00", "3.00", "4.00"])
        stars = [[cell.endswith("*") for cell in row[4::2]] for row in rows]
        self.assertEqual(stars, [[False] * 3, [False] * 3, [False, True, True],
                                 [False, False, True]])

    def test_errors_are_one_line(self):
        for peer in ("x", "x=/no/such/program", f"x={shutil.which('true')}"):
            done = self.compare("--peer", peer)
            self.assertNotEqual(done.returncode, 0)
            last = done.stderr.strip().splitlines()[-1]
            self.assertTrue(last.startswith("compare_peers: "), done.stderr)
            self.assertNotIn("Traceback", done.stderr)


LIMITS = {"limit_read_gb_per_s": 30, "limit_f32_gmac_per_s": 100, "limit_int8_gmac_per_s": 400,
          "limit_int4_gmac_per_s": 400, "n_threads": 2}
BENCH_LINE = {"model_type": "llama 1 B Q4_0", "n_gen": 0, "n_prompt": 512, "n_depth": 0,
              "gmac_per_s": 200, "gb_per_s": 0.4, "share_of_limit": 0.5, "limit": "int8", **LIMITS}
OPS = {"n_prompt": 0, "n_gen": 4, "ops": [
    {"name": "blk.*.ffn_up", "seconds": 1, "macs": 1e9, "memory_bytes": 6e8, "limit": "read",
     "least_seconds": 0.25}], **LIMITS}
KERNELS = {"benchmarks": [{"name": "matmul/decode/Q4_0/avx2/real_time", "GB/s": 20, "GMAC/s": 40,
                           "%limit": 75}]}


class Plot(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def plot(self, *values, **environment):
        files = []
        for i, value in enumerate(values):
            files.append(self.folder / f"{i}.json")
            files[-1].write_text(value if isinstance(value, str) else json.dumps(value))
        return subprocess.run([sys.executable, BENCH / "plot", *files, "-o", self.folder],
                              capture_output=True, text=True, env={**os.environ, **environment})

    @unittest.skipIf(shutil.which("gnuplot") is None, "needs gnuplot-nox")
    def test_every_kind_of_result(self):
        limits = {key.removeprefix("limit_"): value for key, value in LIMITS.items()}
        for values, name, percent in (([[BENCH_LINE]], "Q4_0 pp512", "50"),
                                      ([OPS], "ffn_up", "25"),
                                      ([[limits], KERNELS], "matmul/decode/Q4_0/avx2", "75")):
            done = self.plot(*values)
            self.assertEqual(done.returncode, 0, done.stderr)
            bars = (self.folder / "bars.svg").read_text()
            self.assertIn(f">{percent}</tspan>", bars)
            self.assertIn(name.split("_")[0], bars)
            self.assertIn("Roofline, 2 threads: 30.0 GB/s",
                          (self.folder / "roofline.svg").read_text())

    def test_errors_are_one_line(self):
        without = {key: value for key, value in BENCH_LINE.items() if "limit" not in key}
        for values in (["{"], [KERNELS], [[without]], [[1]]):
            done = self.plot(*values, **({} if shutil.which("gnuplot") else {"PATH": "/none"}))
            self.assertEqual(done.returncode, 1)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        done = self.plot([BENCH_LINE], PATH="/none")
        self.assertIn("apt-get install gnuplot-nox", done.stderr)


if __name__ == "__main__":
    unittest.main()
