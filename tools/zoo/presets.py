"""The models of the zoo: their shapes and how long each is trained."""

import dataclasses
import sys


@dataclasses.dataclass
class Preset:
    description: str
    steps: int
    shape: dict
    n_merges: int
    tokens_per_part: int = 512
    long_chats: float = 0.06  # share of batches whose chat is as long as the context
    fall: float = 0.25  # the last part of the steps, in which the learning rate falls to zero
    lr_matrices: float = 0.02
    lr_rest: float = 0.003


def shape(width, n_layers, n_heads, n_kv_heads, n_ffn, n_context=512):
    return dict(width=width, n_layers=n_layers, n_heads=n_heads, n_kv_heads=n_kv_heads,
                n_ffn=n_ffn, n_context=n_context)


# Widths are multiples of 256, so that every block type applies to every matrix.
SMALL = shape(256, 2, 8, 2, 256)

PRESETS = {
    "demo": Preset("Kitchen stories, questions about language models, small exercises", 6200,
                   shape(256, 5, 8, 4, 512), 1277, fall=0.9),
    "stories": Preset("Kitchen stories and nothing else", 600, SMALL, 765),
    "arithmetic": Preset("Adds, subtracts and compares numbers up to three digits", 1500, SMALL,
                         32),
    "sort": Preset("Sorts, reverses and copies letters and words", 1500, SMALL, 256),
    "lookup": Preset("Looks up keys, closes brackets, follows rules shown by example", 1500, SMALL,
                     256),
    # For the smoke test: as small as can be, and good for nothing.
    "nano": Preset("The smoke test's model", 20, shape(64, 1, 2, 1, 64, 256), 64,
                   tokens_per_part=512, long_chats=0.0),
}

if __name__ == "__main__":  # for rebuild: the number of merges of a model's tokenizer
    print(PRESETS[sys.argv[1]].n_merges)
