"""Short kitchen stories from a grammar: the prose on which the demo models learn to write.

A story has a hero with a wish, a mishap, somebody who helps and an ending. The parts depend on
each other (what is lost at the beginning is found at the end, the pronoun follows the name), so
a model has to remember the beginning to end well; `check` tests exactly that.
"""

import re

GIRLS = "Lily Anna Rosa Mia Nora Ella Clara Greta".split()
BOYS = "Tom Ben Leo Max Sam Otto Finn Hugo".split()

KINDS = ["chef", "baker", "cook", "mouse", "cat", "rabbit", "bear", "child"]
TRAITS = ["little", "young", "kind", "clever", "shy", "brave", "patient", "hungry", "cheerful",
          "curious"]
PLACES = ["in a small kitchen", "in a warm bakery", "in a busy kitchen by the sea",
          "in a quiet house near the forest", "above an old bakery", "in a town full of ovens",
          "behind a big restaurant", "in a cottage on the hill"]

# dish: (what it needs, what the maker does with it, how it turns out)
DISHES = {
    "soup": (["carrots", "salt", "onions", "beans"], "cooked", "hot"),
    "bread": (["flour", "salt", "yeast"], "baked", "golden"),
    "cake": (["eggs", "sugar", "butter", "flour"], "baked", "sweet"),
    "pie": (["apples", "cherries", "sugar", "butter"], "baked", "crisp"),
    "jam": (["cherries", "plums", "sugar"], "cooked", "sweet"),
    "salad": (["tomatoes", "lemons", "herbs"], "mixed", "fresh"),
    "pancakes": (["milk", "eggs", "flour"], "fried", "soft"),
    "pasta": (["tomatoes", "cheese", "herbs"], "cooked", "warm"),
    "cookies": (["butter", "honey", "nuts"], "baked", "crisp"),
    "pudding": (["milk", "honey", "rice"], "cooked", "soft"),
}
PLURAL_DISHES = {"pancakes", "cookies"}
GUESTS = ["a grandmother", "an old king", "the whole village", "a tired sailor", "a new neighbor",
          "a lonely giant", "a little brother", "a good teacher"]
TOOLS = ["spoon", "pan", "knife", "bowl", "pot", "whisk", "recipe book", "apron"]
SPOTS = ["under the table", "behind the stove", "on the top shelf", "in the garden",
         "inside the oven", "next to the door", "in a basket", "below the window"]
HELPERS = ["owl", "fox", "goose", "hedgehog", "squirrel", "goat", "crow", "duck"]
FEELINGS = ["sad", "worried", "upset", "angry", "lost"]


def article(noun):
    return ("an " if noun[0] in "aeiou" else "a ") + noun


def definite(guest):
    return re.sub(r"^an? ", "the ", guest)


def sentence_case(text):
    return text[0].upper() + text[1:]


def opening(rng, name, kind, trait, place):
    return rng.choice([
        f"Once upon a time, {article(trait)} {kind} named {name} lived {place}.",
        f"Once upon a time there was {article(trait)} {kind} named {name}, who lived {place}.",
        f"There once was {article(trait)} {kind} called {name}. {name} lived {place}.",
        f"This is the story of {name}, {article(trait)} {kind} who lived {place}.",
    ])


def wish(rng, name, he, dish, guest):
    return rng.choice([
        f"One day {name} wanted to make {dish} for {guest}.",
        f"Every morning {name} dreamed of {dish}. Today {he} would make {dish} for {guest}.",
        f"\"I will make {dish} for {guest},\" said {name} one morning.",
        f"On a rainy day {name} had a wish: {he} wanted to surprise {guest} with {dish}.",
    ])


def lost_tool(rng, name, he, his, helper):
    """Mishap: a tool is gone. Returns (mishap, rescue)."""
    tool, spot, feeling = rng.choice(TOOLS), rng.choice(SPOTS), rng.choice(FEELINGS)
    mishap = rng.choice([
        f"But the {tool} was gone. {name} looked everywhere and felt {feeling}.",
        f"But {he} could not find {his} {tool}. \"Where is my {tool}?\" cried {name}.",
        f"But when {he} opened the cupboard, the {tool} was not there, and {he} felt {feeling}.",
    ])
    rescue = rng.choice([
        f"{article(helper)} came by and looked {spot}. There was the {tool}!",
        f"\"Look {spot},\" said {article(helper)}. {name} looked {spot} and found the {tool}.",
        f"Then {article(helper)} knocked at the door. \"I saw your {tool} {spot},\" it said, and "
        f"so {name} found the {tool}.",
    ])
    return mishap, rescue, f"{name} always knew where the {tool} was"


def missing_thing(rng, name, he, his, helper, needs):
    thing = rng.choice(needs)
    mishap = rng.choice([
        f"But {name} had no {thing} in the house and felt {rng.choice(FEELINGS)}.",
        f"But the jar of {thing} was empty. \"Without {thing} it will not work,\" said {name}.",
        f"But somebody had taken all the {thing}, and {name} did not know what to do.",
    ])
    rescue = rng.choice([
        f"{article(helper)} heard it and said, \"I have {thing} at home.\" Soon it came back with "
        f"a bag of {thing}.",
        f"So {name} walked to the market. On the way {he} met {article(helper)}, and it gave "
        f"{him_of(he)} {thing}.",
        f"{name} asked {article(helper)} for help, and it shared its {thing}.",
    ])
    return mishap, rescue, f"{name} always kept some extra {thing}"


def him_of(he):
    return "him" if he == "he" else "her"


def burned(rng, name, he, his, helper, dish):
    they = "them" if dish in PLURAL_DISHES else "it"
    mishap = rng.choice([
        f"But {name} fell asleep, and the {dish} burned. The kitchen was full of smoke.",
        f"But {he} forgot the fire, and soon the {dish} turned black.",
        f"But {name} was too quick, and the {dish} fell on the floor.",
    ])
    rescue = rng.choice([
        f"{article(helper)} opened the window and said, \"Try again, and take your time.\" So "
        f"{name} tried again and watched {they} closely.",
        f"\"Everybody fails sometimes,\" said {article(helper)}. Together they tried again, slowly "
        f"and with care.",
        f"{name} wanted to give up, but {article(helper)} helped {him_of(he)} to start again.",
    ])
    return mishap, rescue, f"{name} never hurried again"


def ending(rng, name, he, dish, method, taste, guest, lesson, helper):
    was = "were" if dish in PLURAL_DISHES else "was"
    guest = definite(guest)
    last = rng.choice([
        f"From that day on, {lesson}.",
        f"{sentence_case(guest)} smiled and said, \"Thank you, {name}.\"",
        f"{name} and the {helper} became good friends.",
        f"{name} gave the biggest piece to the {helper} and was happy.",
    ])
    middle = rng.choice([
        f"At last {name} {method} the {dish}, and the {dish} {was} {taste} and good.",
        f"Then {name} {method} the {dish}. {sentence_case(guest)} ate everything up.",
        f"In the evening the {dish} {was} ready, {taste} and good, and {guest} came to eat.",
    ])
    return f"{middle} {last}"


def story(rng):
    """One story of about 70 to 110 words."""
    is_girl = rng.random() < 0.5
    name = rng.choice(GIRLS if is_girl else BOYS)
    he, his = ("she", "her") if is_girl else ("he", "his")
    dish = rng.choice(sorted(DISHES))
    needs, method, taste = DISHES[dish]
    guest, helper = rng.choice(GUESTS), rng.choice(HELPERS)
    kind = rng.randrange(3)
    if kind == 0:
        mishap, rescue, lesson = lost_tool(rng, name, he, his, helper)
    elif kind == 1:
        mishap, rescue, lesson = missing_thing(rng, name, he, his, helper, needs)
    else:
        mishap, rescue, lesson = burned(rng, name, he, his, helper, dish)
    parts = [opening(rng, name, rng.choice(KINDS), rng.choice(TRAITS), rng.choice(PLACES)),
             wish(rng, name, he, dish, guest), mishap, sentence_case(rescue),
             ending(rng, name, he, dish, method, taste, guest, lesson, helper)]
    return " ".join(parts)


def vocabulary(rng, n_stories=3000):
    """Every word the grammar can (almost surely) make."""
    found = set()
    for _ in range(n_stories):
        found.update(re.findall(r"[A-Za-z]+", story(rng)))
    return found


def check(text, known_words):
    """Returns (words, broken words, whether one named hero stays the same throughout)."""
    words = re.findall(r"[A-Za-z]+", text)
    names = {w for w in words if w in GIRLS or w in BOYS}
    return len(words), [w for w in words if w not in known_words], len(names) == 1
