"""The tokenizer of the demo models, for training: byte-level BPE with merges made by
galley-train-bpe. It gives the same ids as the engine's tokenizer (tests/tools/zoo_test.py).

Ids: three special tokens, then the 256 bytes, then one token per merge, in order.
"""

import re

END, CHAT_START, CHAT_END = 0, 1, 2
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]

# The pre-tokenizer "qwen2", for ASCII (the training text has nothing else).
PRE_TOKEN = re.compile(r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\nA-Za-z0-9]?[A-Za-z]+|[0-9]|"
                       r" ?[^\sA-Za-z0-9]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
SPECIAL_TEXT = re.compile("(" + "|".join(re.escape(s) for s in SPECIAL) + ")")


def byte_spelling():
    """The printable stand-in of each byte (GPT-2): Latin-1 where visible, else U+0100 and up."""
    table, n_invisible = [], 0
    for byte in range(256):
        if 33 <= byte <= 126 or (161 <= byte and byte != 173):
            table.append(chr(byte))
        else:
            table.append(chr(256 + n_invisible))
            n_invisible += 1
    return table


class Tokenizer:
    def __init__(self, merges_path):
        with open(merges_path, encoding="utf-8") as lines:
            self.merges = [tuple(line.rstrip("\n").split(" ")) for line in lines]
        self.spelling = byte_spelling()
        self.tokens = SPECIAL + self.spelling + [left + right for left, right in self.merges]
        self.ids = {token: i for i, token in enumerate(self.tokens)}
        self.ranks = {pair: rank for rank, pair in enumerate(self.merges)}
        self.known_words = {}

    def encode(self, text):
        """Ids of ASCII text; the text of a special token becomes that token."""
        ids = []
        for part in SPECIAL_TEXT.split(text):
            if part in SPECIAL:
                ids.append(self.ids[part])
            else:
                for word in PRE_TOKEN.findall(part):
                    ids += self.known_words.get(word) or self.encode_word(word)
        return ids

    def encode_word(self, word):
        symbols = [self.spelling[byte] for byte in word.encode()]
        while len(symbols) > 1:
            pairs = list(zip(symbols, symbols[1:]))
            best = min(pairs, key=lambda pair: self.ranks.get(pair, len(self.ranks)))
            if best not in self.ranks:
                break
            at = pairs.index(best)
            symbols[at:at + 2] = [best[0] + best[1]]
        self.known_words[word] = [self.ids[symbol] for symbol in symbols]
        return self.known_words[word]

    def decode(self, ids):
        byte_of = {spelled: byte for byte, spelled in enumerate(self.spelling)}
        parts = []
        for i in ids:
            if i < len(SPECIAL):
                parts.append(SPECIAL[i].encode())
            else:
                parts.append(bytes(byte_of[c] for c in self.tokens[i]))
        return b"".join(parts).decode("utf-8", "replace")
