#!/usr/bin/env python3
"""Runs the commands of a page of docs/ and compares their output with what the page shows.

    step_tour.py GALLEY PAGE            compares; ends with 1 at the first difference
    step_tour.py GALLEY PAGE --update   writes the outputs of now into the page

In blocks that begin with ```console a line "$ galley ..." is run as it stands. If it is `galley
step`, the lines "> ..." that follow, in this block and in the next ones up to another "$ galley",
are given to it on stdin, and each is followed by what it printed.
"""
import difflib
import os
import re
import shlex
import subprocess
import sys

BLOCK = re.compile(r"^```console\n(.*?)^```$", re.M | re.S)
# What no two runs have in common.
TIMES = re.compile(r" *[0-9.]+ (us|GB/s)\b")


class Session:
    """One run of the program: its command line, and its commands with their places in the page."""

    def __init__(self, words):
        self.words = words
        self.commands = []  # (block, command)


def read_page(text):
    """The sessions of a page; every block is a list of ("$", session) and (">", session, index)."""
    sessions, blocks = [], []
    for match in BLOCK.finditer(text):
        entries = []
        for line in match.group(1).splitlines():
            if line.startswith("$ "):
                words = shlex.split(line[2:])
                if words[0] != "galley":
                    sys.exit(f"only galley can be run here, not: {line}")
                sessions.append(Session(words[1:]))
                entries.append(("$", line, sessions[-1], None))
            elif line.startswith("> "):
                if not sessions:
                    sys.exit(f"no '$ galley step' before: {line}")
                sessions[-1].commands.append(line[2:])
                entries.append((">", line, sessions[-1], len(sessions[-1].commands) - 1))
        blocks.append(entries)
    return sessions, blocks


def run(galley, session):
    """What each command of the session printed, or for other programs than step the whole output."""
    is_step = session.words[0] == "step"
    words = [galley] + session.words + (["--echo"] if is_step else [])
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GALLEY_")}
    done = subprocess.run(words, input="".join(c + "\n" for c in session.commands),
                          capture_output=True, text=True, timeout=120, env=environment)
    if done.returncode != 0:
        sys.exit(f"{shlex.join(words)} ended with {done.returncode}: {done.stderr}")
    if not is_step:
        return done.stdout, []
    outputs, rest = [], done.stdout
    for i, command in enumerate(session.commands):
        echo = f"> {command}\n"
        if not rest.startswith(echo):
            sys.exit(f"no echo of {command!r} in: {rest[:200]}")
        rest = rest[len(echo):]
        following = f"\n> {session.commands[i + 1]}\n" if i + 1 < len(session.commands) else None
        end = len(rest) if following is None else ("\n" + rest).index(following)
        outputs.append(rest[:end])
        rest = rest[end:]
    return "", outputs


def rewrite(galley, text):
    sessions, blocks = read_page(text)
    results = {id(s): run(galley, s) for s in sessions}
    written = iter(blocks)

    def block_text(_):
        lines = []
        for kind, line, session, index in next(written):
            whole, outputs = results[id(session)]
            output = whole if kind == "$" else outputs[index]
            lines.append(line + "\n" + "".join(l.rstrip() + "\n" for l in output.splitlines()))
        return "```console\n" + "".join(lines) + "```"

    return BLOCK.sub(block_text, text)


def main():
    galley, page = sys.argv[1:3]
    with open(page, encoding="utf-8") as f:
        text = f.read()
    now = rewrite(galley, text)
    if "--update" in sys.argv:
        with open(page, "w", encoding="utf-8") as f:
            f.write(now)
        return
    shown, made = (TIMES.sub(r" # \1", t).splitlines() for t in (text, now))
    difference = list(difflib.unified_diff(shown, made, page, "what the program prints now",
                                           lineterm=""))
    if difference:
        print("\n".join(difference))
        sys.exit(f"\n{page} shows other output than the program prints; if the program is right:\n"
                 f"  {sys.argv[0]} {galley} {page} --update")


if __name__ == "__main__":
    main()
