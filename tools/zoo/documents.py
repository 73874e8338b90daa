"""The documents a model is trained on: its mixture of skills, stories and conversations.

A document is a list of (text, learned) parts: the loss counts only the parts to be learned, for
the letters of a random exercise cannot be foreseen and would only add noise.
"""

import questions
import skills
import stories

# How many of a hundred documents are of which kind. Documents differ in length: a story is worth
# about eight exercises in tokens.
MIXTURES = {
    "demo": {
        "story": 5, "chat": 12,
        "copy": 12, "reverse": 8, "sort": 12, "count": 8, "compare": 8, "lookup": 10, "brackets": 8,
        "add1": 1, "add2": 5, "add3": 4, "add": 2, "subtract": 5, "rule": 6, "upper": 2,
        "opposite": 2, "plural": 2, "capital": 2,
    },
    "stories": {"story": 100},
    "arithmetic": {"add1": 5, "add2": 25, "add3": 25, "add": 10, "subtract": 25, "compare": 10},
    "sort": {"sort": 70, "reverse": 15, "copy": 15},
    "lookup": {"lookup": 40, "brackets": 40, "rule": 20},
    "nano": {"copy": 50, "chat": 50},
}


class Source:
    def __init__(self, model, rng, long_chats=False):
        self.rng = rng
        self.long_chats = long_chats
        self.kinds = list(MIXTURES[model])
        self.weights = list(MIXTURES[model].values())
        self.facts = questions.read_facts()

    def document(self):
        kind = self.rng.choices(self.kinds, self.weights)[0]
        if kind == "story":
            return [(stories.story(self.rng), True)]
        if kind == "chat":
            return questions.conversation(self.facts, self.rng, self.long_chats)
        prompt, answer = skills.draw(kind, self.rng)
        return [(prompt, False), (" " + answer, True)]
