#!/usr/bin/python3
"""Writes a sample of the training text, for the tokenizer's training and for reading.

The training itself draws fresh documents all the time (see documents.py).
"""

import argparse
import random

import documents
import skills


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=sorted(documents.BATCHES))
    parser.add_argument("out")
    parser.add_argument("--documents", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    sources = [documents.Source(args.model, part, rng) for part in documents.BATCHES[args.model]]
    with open(args.out, "w", encoding="utf-8") as out:
        for _ in range(args.documents):
            document = rng.choice(sources).document()
            out.write("".join(text for text, _ in document) + "\n")
        if args.model in documents.EXERCISES:
            # Every word of the exercises becomes one token: where items are to be found by their
            # places, one of three tokens is a trap.
            out.write((" ".join(["", *skills.WORDS]) + "\n") * (args.documents // 20))


if __name__ == "__main__":
    main()
