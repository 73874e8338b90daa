#!/usr/bin/python3
"""Writes a trained model as a GGUF file (version 3): matrices in F16, norms in F32.

The format in short: "GGUF", version, number of tensors, number of metadata entries; the entries
(key, type, value); the tensors' descriptions (name, dimensions with the fastest first, type,
offset); then, from a multiple of 32 on, the tensors' bytes, each padded to a multiple of 32.
"""

import argparse
import os
import pathlib
import struct

import numpy
import torch

import bpe
from model import EPSILON, ROPE_BASE

UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
TENSOR_F32, TENSOR_F16 = 0, 1
MOSTLY_F16 = 1  # general.file_type
ALIGNMENT = 32
TOKEN_NORMAL, TOKEN_CONTROL = 1, 3

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")


def string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


SCALARS = {UINT32: "<I", INT32: "<i", FLOAT32: "<f", BOOL: "<?"}


def value(kind, content):
    return string(content) if kind == STRING else struct.pack(SCALARS[kind], content)


def entry(key, kind, content):
    if isinstance(content, list):
        items = b"".join(value(kind, item) for item in content)
        return string(key) + struct.pack("<IIQ", ARRAY, kind, len(content)) + items
    return string(key) + struct.pack("<I", kind) + value(kind, content)


def metadata(name, description, shape, tokenizer):
    n_special = len(bpe.SPECIAL)
    types = [TOKEN_CONTROL] * n_special + [TOKEN_NORMAL] * (len(tokenizer.tokens) - n_special)
    return [
        ("general.architecture", STRING, "llama"),
        ("general.name", STRING, name),
        ("general.description", STRING, description),
        ("general.license", STRING, "mit"),
        ("general.file_type", UINT32, MOSTLY_F16),
        ("llama.context_length", UINT32, shape["n_context"]),
        ("llama.embedding_length", UINT32, shape["width"]),
        ("llama.block_count", UINT32, shape["n_layers"]),
        ("llama.feed_forward_length", UINT32, shape["n_ffn"]),
        ("llama.attention.head_count", UINT32, shape["n_heads"]),
        ("llama.attention.head_count_kv", UINT32, shape["n_kv_heads"]),
        ("llama.attention.layer_norm_rms_epsilon", FLOAT32, EPSILON),
        ("llama.rope.dimension_count", UINT32, shape["width"] // shape["n_heads"]),
        ("llama.rope.freq_base", FLOAT32, ROPE_BASE),
        ("llama.vocab_size", UINT32, shape["n_vocab"]),
        ("tokenizer.ggml.model", STRING, "gpt2"),
        ("tokenizer.ggml.pre", STRING, "qwen2"),
        ("tokenizer.ggml.tokens", STRING, tokenizer.tokens),
        ("tokenizer.ggml.token_type", INT32, types),
        ("tokenizer.ggml.merges", STRING, [" ".join(merge) for merge in tokenizer.merges]),
        ("tokenizer.ggml.bos_token_id", UINT32, bpe.END),
        ("tokenizer.ggml.eos_token_id", UINT32, bpe.END),
        ("tokenizer.ggml.eot_token_id", UINT32, bpe.CHAT_END),
        ("tokenizer.ggml.padding_token_id", UINT32, bpe.END),
        ("tokenizer.ggml.add_bos_token", BOOL, True),
        ("tokenizer.chat_template", STRING, CHAT_TEMPLATE),
    ]


def padded(data):
    return data + bytes(-len(data) % ALIGNMENT)


def write(path, entries, tensors):
    """tensors: (name, numpy array, rows first); 1-D arrays stay F32, matrices become F16."""
    descriptions, blobs, offset = b"", [], 0
    for name, array in tensors:
        kind = TENSOR_F32 if array.ndim == 1 else TENSOR_F16
        stored = numpy.float32 if kind == TENSOR_F32 else numpy.float16
        blob = padded(array.astype(stored).tobytes())
        descriptions += string(name) + struct.pack("<I", array.ndim)
        descriptions += struct.pack(f"<{array.ndim}Q", *reversed(array.shape))
        descriptions += struct.pack("<IQ", kind, offset)
        blobs.append(blob)
        offset += len(blob)
    header = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(entries))
    header += b"".join(entry(*e) for e in entries) + descriptions
    with open(str(path) + ".new", "wb") as out:
        out.write(padded(header) + b"".join(blobs))
    os.replace(str(path) + ".new", path)


def weights_of(state):
    """The tensors of a checkpoint under their GGUF names, as numpy arrays."""
    from model import Llama, Shape  # late: the exporter's format code needs no PyTorch
    model, at = Llama(Shape(**state["shape"])), 0
    for name, p in model.named():
        flat = state["weights"][at:at + p.numel()]
        at += p.numel()
        yield name + ".weight", flat.view(p.shape).numpy()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--work", required=True, type=pathlib.Path)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    import presets
    state = torch.load(args.work / "checkpoint.pt")
    tokenizer = bpe.Tokenizer(args.work / "merges.txt")
    entries = metadata(f"galley-{args.model}", presets.PRESETS[args.model].description,
                       state["shape"], tokenizer)
    write(args.out, entries, list(weights_of(state)))
    print(f"{args.out}: {os.path.getsize(args.out)} bytes, trained for {state['step']} steps")


if __name__ == "__main__":
    main()
