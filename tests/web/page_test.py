#!/usr/bin/python3
"""The page in a real browser: headless Chromium, driven by Selenium, both from Debian.

    page_test.py FOLDER_WITH_GALLEY FOLDER_FOR_SCREENSHOTS

Ends with code 77, saying so, where they are not installed; tests/web/run installs them.
"""
import base64
import json
import os
import struct
import subprocess
import sys
import tempfile
import time
import unittest

try:
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait
except ImportError:
    print("skipped: python3-selenium is not installed; tests/web/run installs what is needed")
    sys.exit(77)

from live_server import LiveServer

GALLEY, SHOTS = "", ""
CHROMIUM, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
VIEWS = ["op", "attention", "lens", "cache", "sampler", "cost"]
SIZES = {"desktop": (1280, 860), "phone": (390, 844)}
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars"]


def browser(size):
    options = Options()
    options.binary_location = CHROMIUM
    width, height = SIZES[size]
    for flag in FLAGS + [f"--window-size={width},{height}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                           {"width": width, "height": height, "deviceScaleFactor": 1 if size == "desktop" else 2,
                            "mobile": size == "phone"})
    return driver


def value_of(trace, pass_index, op_index, position, column):
    run, op = trace["passes"][pass_index], trace["ops"][op_index]
    columns = [c for begin, end in op["columns"] for c in range(begin, end)]
    row = run["rows"].index(position - run["first_position"]) if op["rows"] == "T" else 0
    data = base64.b64decode(run["ops"][op_index]["values"])
    return struct.unpack_from("<f", data, 4 * (row * len(columns) + columns.index(column)))[0]


class Page(unittest.TestCase):
    size = "desktop"

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.driver = browser(cls.size)

    @classmethod
    def tearDownClass(cls):
        cls.driver.quit()
        cls.folder.cleanup()

    def tearDown(self):
        self.assertEqual(self.driver.get_log("browser"), [], "the console is quiet")

    def make(self, *arguments):
        """A page of a run, open in the browser, and its trace."""
        path = os.path.join(self.folder.name, "trace.html")
        subprocess.run([GALLEY, "trace", "-o", path, *arguments], check=True, stdin=subprocess.DEVNULL, capture_output=True)
        self.driver.get("about:blank")
        self.driver.get("file://" + path)
        return json.loads(self.script("return document.getElementById('trace').textContent"))

    def script(self, text):
        return self.driver.execute_script(text)

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def find_all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector):
        return self.find(selector).text

    def press(self, keys):
        self.find("body").send_keys(keys)

    def wait(self, condition, what):
        WebDriverWait(self.driver, 30, poll_frequency=0.1).until(lambda _: condition(), what)

    def shot(self, name):
        time.sleep(0.15)  # maps are drawn in the next frame
        self.driver.save_screenshot(os.path.join(SHOTS, f"{name}-{self.size}.png"))

    def fits(self):
        self.assertLessEqual(self.script("return document.documentElement.scrollWidth"), SIZES[self.size][0])


class Trace(Page):
    def test_shows_the_numbers_of_the_trace(self):
        trace = self.make("-p", "Once upon a time", "-n", "5", "-s", "7")
        self.assertEqual(len(self.find_all("#tokens button")), len(trace["tokens"]))
        self.assertEqual(len(self.find_all("#graph button")), len(trace["ops"]))
        self.assertEqual(self.script("return performance.getEntriesByType('resource').length"), 0)
        names = [op["name"] for op in trace["ops"]]
        for name, position in (("blk.2.q", 4), ("blk.0.ffn_up", 6), ("logits", 7)):
            op = names.index(name)
            self.script(f"document.getElementById('token-{position}').click()")
            self.script(f"document.getElementById('op-{op}').click()")
            cell = self.text("#number .number-head code")
            column = int(cell.split(",")[1].strip(" ]"))
            self.assertEqual(cell, f"{name}[{position}, {column}]")
            pass_index = next(i for i, p in enumerate(trace["passes"])
                              if p["first_position"] <= position < p["first_position"] + p["n_tokens"])
            shown = float(self.text("#number-value").replace("−", "-"))
            value = value_of(trace, pass_index, op, position, column)
            self.assertEqual(struct.pack("<f", shown), struct.pack("<f", value), cell)

    def test_explains_a_number_to_the_bit(self):
        trace = self.make("-p", "Once upon a time", "-n", "1")
        explained = {trace["ops"][e["op"]]["name"]: e for e in trace["explanations"]}
        for name in ("blk.1.k", "blk.3.attn_norm", "blk.2.attn", "blk.4.ffn_act"):
            op = next(i for i, o in enumerate(trace["ops"]) if o["name"] == name)
            self.script(f"document.getElementById('op-{op}').click()")
            self.assertIn("bit for bit", self.text("#number .ending"))
            self.assertEqual(len(self.find_all("#number .step")), len(explained[name]["explanation"]["steps"]))

    def test_moves_by_keys(self):
        trace = self.make("-p", "Once upon a time", "-n", "3", "--temp", "0")
        n = len(trace["ops"])
        self.press(Keys.HOME)
        self.assertIn(f"op 1 of {n}", self.text("#where"))
        self.press(Keys.ARROW_RIGHT)
        self.assertIn(f"op 2 of {n}", self.text("#where"))
        self.press("]")
        self.assertIn("blk.1.", self.text("#where"))
        self.press("[")
        self.assertIn("blk.0.", self.text("#where"))
        self.press("t")
        self.assertIn("token 5", self.text("#where"))
        self.press("T")
        self.assertIn("prompt", self.text("#where"))
        self.press(Keys.END)
        self.assertIn(f"op {n} of {n}", self.text("#where"))
        for i, view in enumerate(VIEWS):
            self.press(str(i + 1))
            self.assertEqual(self.find(f"#tab-{view}").get_attribute("aria-selected"), "true")
        self.press("?")
        self.assertTrue(self.script("return document.getElementById('help-dialog').open"))
        self.press(Keys.ESCAPE)
        self.press(Keys.HOME)
        self.press(" ")
        self.wait(lambda: f"op 1 of {n}" not in self.text("#where"), "it plays")
        self.press(" ")
        self.assertEqual(self.text("#play"), "Play")

    def test_everything_that_can_be_used_has_a_name(self):
        self.make("-p", "Once upon a time", "-n", "2", "--temp", "0")
        for view in VIEWS:
            self.script(f"document.getElementById('tab-{view}').click()")
            unnamed = self.script("""
              return [...document.querySelectorAll("button, input, select, textarea, canvas[tabindex], [role=tabpanel]")]
                .filter((e) => !(e.textContent.trim() || e.getAttribute("aria-label") || e.labels?.length || e.getAttribute("aria-labelledby")))
                .map((e) => e.outerHTML.slice(0, 80));""")
            self.assertEqual(unnamed, [], view)

    def test_a_prompt_is_only_text(self):
        prompt = "</script><img src=x onerror=alert(1)><b>bold</b> ‮ &lt;"
        trace = self.make("-p", prompt, "-n", "2", "--temp", "0")
        self.assertEqual(trace["prompt"], prompt)
        for view in VIEWS:
            self.script(f"document.getElementById('tab-{view}').click()")
            self.assertEqual(self.script("return document.querySelectorAll('main img, main b b, #tokens b').length"), 0)
        self.assertIn("img", "".join(t.text for t in self.find_all("#tokens button")))

    def test_looks_as_it_should(self):
        self.make("-p", "Once upon a time, a cook named Mia", "-n", "8", "-s", "7")
        for theme in ("light", "dark"):
            for view in VIEWS:
                self.script(f"location.hash = ''; document.getElementById('tab-{view}').click()")
                if view == "op":
                    self.script("[...document.querySelectorAll('.op')].find((o) => o.title.startsWith('blk.2.q:')).click()")
                self.script("scrollTo(0, 0)")
                self.fits()
                self.shot(f"{view}-{theme}")
            self.press("d")


class TraceOnAPhone(Trace):
    size = "phone"


class Live(Page):
    def setUp(self):
        self.server = LiveServer(GALLEY, "-p", "Once upon a time", "-n", "4", "--temp", "0")
        self.driver.get(self.server.url)

    def tearDown(self):
        super().tearDown()
        self.driver.get("about:blank")  # asks the server nothing more
        self.assertEqual(self.server.stop(), 130)

    def tokens(self):
        # In one step: the page may replace the buttons between two questions of ours.
        return self.script("return [...document.querySelectorAll('#tokens button')].map((t) => t.textContent)")

    def click(self, selector):
        self.script(f"document.querySelector({json.dumps(selector)}).click()")

    def test_runs_another_prompt(self):
        before = self.tokens()
        prompt = self.find("#prompt")
        self.assertEqual(prompt.get_attribute("value"), "Once upon a time")
        prompt.clear()
        prompt.send_keys("sort: d a c b =")
        self.click("#run")
        self.wait(lambda: self.tokens() != before, "the text changes")
        said = "".join(t["text"] for t in self.server.trace()["tokens"])
        self.assertIn("sort: d a c b = a b", said)
        self.assertEqual(len(self.tokens()), len(self.server.trace()["tokens"]))
        self.shot("live")

    def test_explains_any_number(self):
        trace = self.server.trace()
        op = next(i for i, o in enumerate(trace["ops"]) if o["name"] == "blk.3.ffn_gate")
        self.click("#token-6")
        self.click(f"#op-{op}")
        self.wait(lambda: self.find_all("#number .ending"), "the engine answers")
        self.assertIn("bit for bit", self.text("#number .ending"))
        value = self.text("#number-value")
        self.find("canvas.map").send_keys(Keys.ARROW_RIGHT, Keys.ENTER)
        self.wait(lambda: self.text("#number-value") != value and self.find_all("#number .ending"), "another number")
        self.assertIn("bit for bit", self.text("#number .ending"))

    def test_switches_a_head_off_and_on(self):
        before = self.server.trace()
        self.click("#tab-attention")
        self.click("#head-off")
        self.wait(lambda: not self.script("return document.querySelector('.changes').hidden"), "the change is shown")
        self.assertNotEqual(self.server.trace()["passes"], before["passes"])
        self.shot("live-changed")
        self.click("#undo")
        self.wait(lambda: self.script("return document.querySelector('.changes').hidden"), "it is undone")
        self.assertEqual(self.server.trace()["tokens"], before["tokens"])

    def test_drives_the_debugger(self):
        self.script("document.querySelector('.debugger').open = true")
        command = self.find("#command")
        command.send_keys("run-until blk.1.attn", Keys.ENTER)
        self.wait(lambda: self.text("#debugger-where") == "blk.1.attn", "it goes there")
        self.assertIn("blk.1.attn", self.text("#where"))
        command.clear()
        command.send_keys("fly", Keys.ENTER)
        self.wait(lambda: self.find("#live-message").is_displayed(), "a wrong command is told")
        self.shot("live-debugger")


class LiveOnAPhone(Live):
    size = "phone"

    def test_looks_as_it_should(self):
        self.fits()


if __name__ == "__main__":
    for program in (CHROMIUM, DRIVER):
        if not os.access(program, os.X_OK):
            print(f"skipped: {program} is not installed; tests/web/run installs what is needed")
            sys.exit(77)
    GALLEY, SHOTS = sys.argv.pop(1) + "/galley", sys.argv.pop(1)
    os.makedirs(SHOTS, exist_ok=True)
    unittest.main()
