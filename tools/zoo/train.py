#!/usr/bin/python3
"""Trains a demo model: `train.py demo --work DIR`. Starts again where the last checkpoint ends.

Every batch is drawn from a generator seeded by (seed, step), so a training that was interrupted
sees the same documents as one that was not. The learning rate is constant after a short warm-up
and falls to zero over the last part of the steps, so a longer training may start from any
checkpoint of a shorter one that had not yet begun to fall.
"""

import argparse
import json
import math
import multiprocessing
import os
import pathlib
import random
import time

# One thread per worker process; must be set before torch loads its libraries.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Debian's OpenBLAS does not know the newest processors and falls back to code of 2004 there, five
# times slower (measured: 30 instead of 150 GFLOP/s a core); PyTorch uses AVX2 unless it is asked.
if "avx512bw" in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8"):
    os.environ.setdefault("OPENBLAS_CORETYPE", "SkylakeX")
    os.environ.setdefault("ATEN_CPU_CAPABILITY", "avx512")

import torch
from torch.nn import functional

import bpe
import documents
import presets
import skills
import weights
from model import Llama, Shape, document_mask
from optimizer import SharedTraining

WARM_UP_STEPS = 50


def tokenized(document, tokenizer):
    """Ids, with the end token on both sides, and for each whether the model learns to write it."""
    ids, learned = [bpe.END], [False]
    for text, is_learned in document:
        part = tokenizer.encode(text)
        ids += part
        learned += [is_learned] * len(part)
    return ids + [bpe.END], learned + [True]


def packed(source, tokenizer, n_rows, row_length):
    """Rows of whole documents. What does not fit into a row opens one of the next."""
    waiting = []
    for _ in range(n_rows):
        row, room, misses = [], row_length, 0
        for new in [waiting.pop(0) for _ in range(len(waiting))]:
            if len(new[0]) <= room:
                row.append(new)
                room -= len(new[0])
            else:
                waiting.append(new)
        while misses < 4:
            new = tokenized(source.document(), tokenizer)
            if len(new[0]) <= room:
                row.append(new)
                room -= len(new[0])
            else:
                misses += 1
                if len(new[0]) <= row_length:
                    waiting.append(new)
        yield row


def batch(source, tokenizer, n_tokens, row_length):
    """Rows of whole documents: ids, their document numbers, targets and weights of the loss.

    A document's loss weighs as the square root of its length, so that answers of one token are
    not drowned by stories of a hundred.
    """
    n_rows = n_tokens // row_length
    ids = torch.full((n_rows, row_length + 1), bpe.END)
    weight = torch.zeros(n_rows, row_length + 1)
    document = torch.zeros(n_rows, row_length + 1, dtype=torch.long)
    for row, members in enumerate(packed(source, tokenizer, n_rows, row_length + 1)):
        at = 0
        for number, (new, learned) in enumerate(members, 1):
            end = at + len(new)
            ids[row, at:end] = torch.tensor(new)
            weight[row, at:end] = torch.tensor(learned) / sum(learned) ** 0.5
            document[row, at:end] = number
            at = end
    return ids[:, :-1], document[:, :-1], ids[:, 1:], weight[:, 1:]


def loss_of(model, highest, ids, document, targets, weight):
    learned = weight > 0
    hidden = model.hidden(ids, document_mask(document), learned, highest)
    losses = functional.cross_entropy(model.logits(hidden), targets[learned],
                                      reduction="none")
    weight = weight[learned]
    return (losses * weight).sum() / weight.sum()


@torch.no_grad()
def share_right(model, tokenizer, skill, n_cases):
    """The share of held-out cases whose greedy answer equals the expected one to the letter.

    Greedy decoding writes the expected answer just when each of its tokens is the likeliest
    after those before it, so one run over prompt and answer is enough.
    """
    rng = random.Random(12345)
    cases = [skills.draw(skill, rng, held_out=True) for _ in range(n_cases)]
    encoded = [([bpe.END] + tokenizer.encode(p), tokenizer.encode(" " + a) + [bpe.END])
               for p, a in cases]
    length = max(len(p) + len(a) for p, a in encoded)
    ids = torch.full((n_cases, length), bpe.END)
    for row, (p, a) in enumerate(encoded):
        ids[row, :len(p) + len(a)] = torch.tensor(p + a)
    hidden = model.hidden(ids, document_mask(torch.zeros(1, length)))
    best = model.logits(hidden).argmax(-1)
    return sum(best[row, len(p) - 1:len(p) + len(a) - 1].tolist() == a
               for row, (p, a) in enumerate(encoded)) / n_cases


def evaluate(model, tokenizer, model_name, n_cases):
    names = documents.EXERCISES.get(model_name, {})
    return {name: round(share_right(model, tokenizer, name, n_cases), 3) for name in names}


def save(path, training, step, seconds):
    torch.save({**training.state(), "shape": vars(training.model.shape), "step": step,
                "seconds": seconds}, str(path) + ".new")
    os.replace(str(path) + ".new", path)


def rate_at(step, n_steps, seconds, n_seconds, fall):
    """The learning rate as a share of the highest: falls as the steps or the time run out."""
    left = min(1 - step / n_steps, 1 - seconds / n_seconds)
    return min(1.0, (step + 1) / WARM_UP_STEPS, left / fall)


def gradient_of_part(args, training, tokenizer, step, part):
    """Draws part `part` of the batch of `step` and leaves its gradient and loss in `training`."""
    preset, kind = presets.PRESETS[args.model], documents.BATCHES[args.model][part]
    rng = random.Random(f"{args.seed} {step} {part}")
    is_long = kind == "chat" and rng.random() < preset.long_chats
    row_length = preset.shape["n_context"] if is_long else documents.ROW_LENGTH[kind]
    source = documents.Source(args.model, kind, rng, step / args.steps, is_long)
    drawn = batch(source, tokenizer, preset.tokens_per_part, row_length)
    loss = loss_of(training.model, training.highest[part], *drawn)
    loss.backward()
    training.store_gradient(part)
    training.losses[part] = loss.item()


def work(args, worker, training, tokenizer, first_step, seconds, barrier):
    """One worker process: takes parts of each batch, then updates every n-th of the weights."""
    preset = presets.PRESETS[args.model]
    started, recent = time.time() - seconds, []
    parent = os.getppid()
    for step in range(first_step, args.steps):
        if worker != 0 and os.getppid() != parent:
            return  # the main process was ended
        while (part := training.take_part(step - first_step)) is not None:
            gradient_of_part(args, training, tokenizer, step, part)
        if worker == 0:
            training.clock[0] = time.time() - started
        barrier.wait()
        elapsed = training.clock.item()  # the same for all workers
        rate = max(0.0, rate_at(step, args.steps, elapsed, args.seconds, args.fall))
        rate *= args.rate
        training.update(step, preset.lr_matrices * rate, preset.lr_rest * rate, worker,
                        args.workers)
        recent.append(training.losses.mean().item())
        barrier.wait()
        is_last = step + 1 == args.steps or rate <= 0
        if worker == 0:
            report(args, training, tokenizer, step + 1, is_last, elapsed, recent)
        if is_last:
            return


def report(args, training, tokenizer, step, is_last, seconds, recent):
    """Writes the checkpoint and the log when it is time; empties `recent` (losses)."""
    if step % args.save_every == 0 or is_last:
        save(args.work / "checkpoint.pt", training, step, seconds)
    line = {}
    if step % 20 == 0:
        line = {"loss": round(sum(recent) / len(recent), 4), "seconds": round(seconds)}
        recent.clear()
    if step % args.evaluate_every == 0:
        line["right"] = evaluate(training.model, tokenizer, args.model, 100)
    if line:
        with open(args.work / "log.jsonl", "a", encoding="utf-8") as out:
            out.write(json.dumps({"step": step, **line}) + "\n")


def start_from(path, training):
    """Takes over the weights of an exported model."""
    start = weights.read(path)
    for name, p in training.named:
        p.data.copy_(torch.from_numpy(start[name + ".weight"].copy()).view(p.shape))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=sorted(presets.PRESETS))
    parser.add_argument("--work", required=True, type=pathlib.Path, help="merges, checkpoints, log")
    parser.add_argument("--steps", type=int, help="instead of the preset's")
    parser.add_argument("--seconds", type=float, default=math.inf, help="end after so much time")
    parser.add_argument("--fall", type=float, help="the last part of the steps or the time, in "
                        "which the rate falls, instead of the preset's")
    parser.add_argument("--rate", type=float, default=1.0, help="scale of the learning rates")
    parser.add_argument("--start-from", metavar="GGUF",
                        help="begin with this model's weights; merges.txt must be that model's")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2, help="processes, one thread each")
    parser.add_argument("--evaluate-every", type=int, default=500)
    parser.add_argument("--save-every", type=int, default=100)
    args = parser.parse_args()

    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    preset = presets.PRESETS[args.model]
    args.fall = args.fall or preset.fall
    args.steps = args.steps or preset.steps
    tokenizer = bpe.Tokenizer(args.work / "merges.txt")
    model = Llama(Shape(n_vocab=len(tokenizer.tokens), **preset.shape))
    training = SharedTraining(model, len(documents.BATCHES[args.model]))
    step, seconds = 0, 0.0
    if (args.work / "checkpoint.pt").exists():
        state = torch.load(args.work / "checkpoint.pt")
        training.restore(state)
        step, seconds = state["step"], state["seconds"]
    elif args.start_from:
        start_from(args.start_from, training)
    print(f"{args.model}: {training.weights.numel()} parameters, from step {step}", flush=True)

    barrier = multiprocessing.Barrier(args.workers, timeout=900)  # patient when paused
    others = [multiprocessing.Process(
        target=work, args=(args, worker, training, tokenizer, step, seconds, barrier), daemon=True)
        for worker in range(1, args.workers)]
    for process in others:
        process.start()
    work(args, 0, training, tokenizer, step, seconds, barrier)


if __name__ == "__main__":
    main()
