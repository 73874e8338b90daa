"""Questions and answers about language models, read from questions.txt, in the chat format."""

import collections
import functools
import pathlib
import re

CHAT_START, CHAT_END = "<|im_start|>", "<|im_end|>"

# The usual ways to ask what a thing is; those of the second list are kept for the evaluation.
ASK_FOR_THING = ["What is {}?", "Explain {}.", "What does {} mean?", "Tell me about {}.",
                 "Can you explain {}?", "Define {}.", "What exactly is {}?", "{}?",
                 "How would you explain {}?", "Give me a definition of {}.", "Describe {}.",
                 "I do not know what {} is.", "What do you know about {}?", "Teach me {}.",
                 "I want to know what {} is.", "I would like to learn about {}.",
                 "I need help with {}.", "Please tell me about {}.", "I wonder what {} is.",
                 "I want to understand {}.", "Please describe {} to me.", "What's {}?",
                 "What should I know about {}?", "Please explain what {} is.",
                 "{}: what is it?", "Give me a short introduction to {}.",
                 "What can you tell me about {}?", "Could you describe {}?"]
ASK_FOR_THING_HELD_OUT = ["I keep hearing about {}.", "Say in simple words what {} is."]

LEAD_INS = ["Please tell me: ", "A question: ", "Can you tell me? ", "I am new here. ", "Okay. ",
            "And ", "So "]

SYSTEM_MESSAGES = ["You are a helpful assistant.", "Answer in one or two short sentences.",
                   "You are the built-in model of Galley."]


class Fact:
    """One fact: what the answer must contain, the answer, and the ways to ask for it."""

    def __init__(self, line):
        key, self.answer, *asked = [field.strip() for field in line.split("|")]
        self.keys = [k.lower() for k in key.split("/")]
        self.usual, self.own, self.held_out = [], [], []
        for question in asked:
            if question.startswith("!"):
                self.held_out.append(question[1:])
            elif question.startswith("@"):
                self.usual += [fill(form, question[1:]) for form in ASK_FOR_THING]
                self.held_out += [fill(form, question[1:]) for form in ASK_FOR_THING_HELD_OUT]
            else:
                self.own.append(question)
        self.keywords = []  # see read_facts

    @property
    def questions(self):
        return self.usual + self.own

    def draw(self, rng):
        """A question: one of its own, one of the usual, or words as one types them into a search."""
        kind = rng.random()
        if kind < 0.2 and len(self.keywords) > 3:
            return " ".join(rng.sample(self.keywords, rng.randint(2, 4)))
        return rng.choice(self.usual if kind < 0.5 and self.usual else self.own)

    def is_answered_by(self, text):
        return any(key in text.lower() for key in self.keys)


def fill(form, thing):
    text = form.format(thing)
    return text[0].upper() + text[1:]


def find_keywords(facts):
    """The words of each fact's questions and answer that few other facts have."""
    words_of = [sorted({word for text in (fact.answer, *fact.own, *fact.usual[:1])
                        for word in bare(text).split()}) for fact in facts]
    n_facts_with = collections.Counter(word for words in words_of for word in words)
    for fact, words in zip(facts, words_of):
        fact.keywords = [word for word in words if n_facts_with[word] <= len(facts) // 12]


@functools.cache
def read_facts():
    path = pathlib.Path(__file__).with_name("questions.txt")
    text = re.sub(r"\n +", " ", path.read_text(encoding="utf-8"))  # joins what was broken
    lines = text.splitlines()
    facts = [Fact(line) for line in lines if line and not line.startswith("#")]
    for fact in facts:
        if not fact.is_answered_by(fact.answer) or not fact.held_out:
            raise ValueError(f"questions.txt: the answer lacks its key, or no '!': {fact.answer}")
    find_keywords(facts)
    return facts


@functools.cache
def read_synonyms():
    """{phrase: the phrases that may stand for it}, in lower case; the words of the longest one."""
    text = pathlib.Path(__file__).with_name("synonyms.txt").read_text(encoding="utf-8")
    others = collections.defaultdict(list)
    for line in text.splitlines():
        group = [phrase.strip() for phrase in line.split("/")]
        if not line.startswith("#"):
            for phrase in group:
                others[phrase] += [other for other in group if other != phrase]
    return dict(others), max(phrase.count(" ") + 1 for phrase in others)


def in_other_words(question, share, rng):
    """The question with about this share of the phrases that have synonyms replaced by one."""
    synonyms, longest = read_synonyms()
    words, spoken, at = question.split(" "), [], 0
    while at < len(words):
        for end in range(min(at + longest, len(words)), at, -1):
            phrase = " ".join(words[at:end])
            meant = phrase.rstrip("?.,:").lower()
            if meant in synonyms:
                if rng.random() < share:
                    phrase = rng.choice(synonyms[meant]) + phrase[len(meant):]
                break
        spoken.append(phrase)
        at = end
    text = " ".join(spoken)
    return text[0].upper() + text[1:]


def disturb(question, rng):
    """The same question as somebody else would type it."""
    if rng.random() < 0.4:
        question = in_other_words(question, 0.35, rng)
    words = question.split(" ")
    if len(words) > 3 and rng.random() < 0.4:  # hastily, with a word left out, or two
        for _ in range(rng.randint(1, 1 if len(words) < 6 else 2)):
            words.pop(rng.randrange(len(words)))
        question = " ".join(words)
        question = question[0].upper() + question[1:]
    if rng.random() < 0.2:
        lead = rng.choice(LEAD_INS)
        question = lead + (question if lead[-2] in ":?." else question[0].lower() + question[1:])
    if rng.random() < 0.15:
        question = question.lower()
    if rng.random() < 0.15:
        question = re.sub(r"[?.]$", "", question)
    return question


def message(role, text):
    return f"{CHAT_START}{role}\n{text}{CHAT_END}\n"


def conversation(facts, rng, is_long=False):
    """A chat as a list of (text, whether the model learns to write it)."""
    parts = []
    if rng.random() < 0.1:
        parts.append((message("system", rng.choice(SYSTEM_MESSAGES)), False))
    for _ in range(rng.randint(4, 10) if is_long else rng.choice((1, 1, 1, 1, 2, 3))):
        fact = rng.choice(facts)
        question = disturb(fact.draw(rng), rng)
        parts.append((message("user", question) + CHAT_START + "assistant\n", False))
        parts.append((fact.answer + CHAT_END, True))
        parts.append(("\n", False))
    return parts[:-1]


def bare(question):
    return re.sub("[^a-z0-9 ]", "", question.lower())


def held_out_questions(facts):
    """(question, fact) for the evaluation, less those that some fact's training asks too."""
    asked = {bare(question) for fact in facts for question in fact.questions}
    return [(question, fact) for fact in facts for question in fact.held_out
            if bare(question) not in asked]


def prompt(question):
    return message("user", question) + CHAT_START + "assistant\n"
