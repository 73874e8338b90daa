"""The documents a model is trained on: its mixture of skills, stories and conversations.

A document is a list of (text, learned) parts: the loss counts only the parts to be learned, for
the letters of a random exercise cannot be foreseen and would only add noise.
"""

import questions
import skills
import stories

# A batch is made of parts, each of one kind of documents; what shares the rows of a part is alike
# in length. The gradient is the mean over the parts, so these are the shares of what is learned.
BATCHES = {
    "demo": ["exercises", "exercises", "chat", "chat", "chat", "story"],
    "stories": ["story"] * 2,
    "arithmetic": ["exercises"] * 2,
    "sort": ["exercises"] * 2,
    "lookup": ["exercises"] * 2,
    "nano": ["exercises", "chat"],
}
ROW_LENGTH = {"exercises": 64, "chat": 160, "story": 160}  # tokens

# How many of a hundred exercises are of which skill.
EXERCISES = {
    "demo": {
        "copy": 10, "reverse": 10, "sort": 12, "sort_repeats": 8, "count": 9, "compare": 6,
        "lookup": 14, "brackets": 12, "add1": 1, "add2": 4, "add3": 2, "add": 2, "subtract": 3,
        "rule": 3, "upper": 1, "opposite": 1, "plural": 1, "capital": 1,
    },
    "arithmetic": {"add1": 5, "add2": 25, "add3": 25, "add": 10, "subtract": 25, "compare": 10},
    "sort": {"sort": 50, "sort_repeats": 20, "reverse": 15, "copy": 15},
    "lookup": {"lookup": 45, "brackets": 45, "rule": 10},
    "nano": {"copy": 100},
}
MORE_LOOKUPS = 5


class Source:
    """Draws documents for one part of a batch.

    progress: the share of the training that is done. Easy exercises teach first: at the start
    each is the shorter one of two, at the end none is chosen, as in the evaluation.
    """

    def __init__(self, model, part, rng, progress=0.5, long_chats=False):
        self.part = part
        self.rng = rng
        self.progress = progress
        self.long_chats = long_chats
        if part == "exercises":
            self.skills = list(EXERCISES[model])
            self.weights = list(EXERCISES[model].values())
        if part == "chat":
            self.facts = questions.read_facts()

    def document(self):
        if self.part == "story":
            return [(stories.story(self.rng), True)]
        if self.part == "chat":
            return questions.conversation(self.facts, self.rng, self.long_chats)
        skill = self.rng.choices(self.skills, self.weights)[0]
        prompt, answer = skills.draw(skill, self.rng)
        if self.rng.random() > self.progress:
            prompt, answer = min((prompt, answer), skills.draw(skill, self.rng),
                                 key=lambda case: len(case[0]))
        document = [(prompt, False), (" " + answer, True)]
        if skill == "lookup":  # one table, several questions: more to learn from as many tokens
            for asked, value in skills.more_lookups(prompt, self.rng, MORE_LOOKUPS):
                document += [(asked, False), (" " + value, True)]
        return document
