"""Small skills with checkable answers: the exercises the demo models are trained and tested on.

Every skill is a function of a random generator that returns one case as (prompt, answer). All
cases look alike: `name: question = answer`, and everything is separated by spaces, so that each
letter, word or sign is one token whatever stands around it. Digits are always one token each.

One case in ten is held out: whether a case may be trained on is decided by a checksum of its
prompt, so no case of the evaluation was ever seen in training, whatever the seeds.
"""

import functools
import zlib

LETTERS = "abcdefghijklmnopqrstuvwxyz"

WORDS = """apple bread butter cake carrot cheese cherry corn cream cup egg fish flour fork garlic
honey jam juice kettle knife lemon lime milk mint oil onion oven pan pasta pear pepper pie plate
plum pot rice salt sauce soup spoon sugar table tea tomato water wine cook chef bowl dish grape
red blue green white black brown gold gray pink""".split()

OPPOSITES = """hot cold|big small|fast slow|light dark|up down|left right|open closed|full empty
old new|early late|wet dry|high low|hard soft|good bad|happy sad|thick thin|near far|rich poor
strong weak|day night|first last|sweet sour|clean dirty|loud quiet|long short|wide narrow
win lose|buy sell|start stop|inside outside|above below|before after|more less|true false
yes no|push pull|give take|love hate|young aged|smooth rough|heavy weightless|sharp blunt
raw cooked|fresh stale|calm angry|brave afraid|deep shallow|clever foolish|same different
always never|front back|top bottom|north south|east west|summer winter|friend enemy
question answer|input output|floor ceiling|arrive leave|remember forget|laugh cry"""

CAPITALS = """France Paris|Germany Berlin|Italy Rome|Spain Madrid|Portugal Lisbon|Austria Vienna
Greece Athens|Norway Oslo|Sweden Stockholm|Finland Helsinki|Denmark Copenhagen|Poland Warsaw
Hungary Budapest|Ireland Dublin|Belgium Brussels|Japan Tokyo|China Beijing|India Delhi|Egypt Cairo
Kenya Nairobi|Ghana Accra|Peru Lima|Chile Santiago|Cuba Havana|Canada Ottawa|Brazil Brasilia
Russia Moscow|Ukraine Kyiv|Turkey Ankara|Iran Tehran|Iraq Baghdad|Syria Damascus|Jordan Amman
Nepal Kathmandu|Thailand Bangkok|Vietnam Hanoi|Korea Seoul|Mongolia Ulaanbaatar|Australia Canberra
Morocco Rabat|Algeria Algiers|Tunisia Tunis|Senegal Dakar|Ethiopia Addis|Iceland Reykjavik
Croatia Zagreb|Serbia Belgrade|Romania Bucharest|Bulgaria Sofia|England London"""

NOUNS = """apple carrot onion lemon pan pot plate spoon fork knife cup bowl dish box glass peach
cherry berry party cook chef baker table chair door window house garden tree river boat fox bus
kiss brush match bench lunch watch class cat dog cow pig hen duck horse goat bird city baby lady
story puppy pony key day boy toy tray monkey leaf loaf wolf shelf half tomato potato hero model
token number layer head weight kernel cache bus wish bush tax wax branch church ditch coach
book lamp song hand road cloud star stone king queen ship train clock pen ring hill farm wall
jelly candy daisy lily copy spy fly sky""".split()

BRACKETS = {"(": ")", "[": "]", "{": "}"}


@functools.cache
def pairs(text):
    return [pair.split() for line in text.splitlines() for pair in line.split("|")]


def letters(rng, low, high):
    """A list of letters; mostly all different, sometimes drawn freely."""
    n = rng.randint(low, high)
    if rng.random() < 0.7:
        return rng.sample(LETTERS, n)
    return [rng.choice(LETTERS) for _ in range(n)]


def items(rng, low, high):
    """Letters or kitchen words."""
    if rng.random() < 0.6:
        return letters(rng, low, high)
    return rng.sample(WORDS, rng.randint(low, high))


def copy(rng):
    what = items(rng, 2, 10)
    return f"copy: {' '.join(what)} =", " ".join(what)


def reverse(rng):
    what = items(rng, 2, 8)
    return f"reverse: {' '.join(what)} =", " ".join(reversed(what))


def sort(rng):
    what = letters(rng, 2, 8)
    return f"sort: {' '.join(what)} =", " ".join(sorted(what))


def sort_repeats(rng):
    """Sorting where letters occur twice and more, which is the hard part of it."""
    n = rng.randint(3, 8)
    few = rng.sample(LETTERS, rng.randint(2, n - 1))
    what = [rng.choice(few) for _ in range(n)]
    return f"sort: {' '.join(what)} =", " ".join(sorted(what))


def count(rng):
    letter = rng.choice(LETTERS)
    n_hits = rng.randint(0, 6)
    n_others = rng.randint(0 if n_hits else 1, 6)
    what = [letter] * n_hits + [rng.choice(LETTERS.replace(letter, "")) for _ in range(n_others)]
    rng.shuffle(what)
    return f"count: {letter} in {' '.join(what)} =", worked_count(letter, what)


def worked_count(letter, what):
    """Counting as with a finger: every letter again, each with the number found so far."""
    steps = [f"{x}{what[:i].count(letter)}" for i, x in enumerate(what, 1)]
    return f"{' '.join(steps)}; {what.count(letter)}"


def number(rng, n_digits):
    return rng.randint(0 if n_digits == 1 else 10 ** (n_digits - 1), 10 ** n_digits - 1)


def worked_sum(a, b):
    """Column addition as taught in school: ones first, with the carry written out."""
    steps, carry, x, y = [], 0, a, b
    while x or y or not steps:
        total = x % 10 + y % 10 + carry
        steps.append(f"{x % 10}+{y % 10}" + ("+1" if carry else "") + f"={total}")
        carry, x, y = total // 10, x // 10, y // 10
    return f"{', '.join(steps)}; {a + b}"


def worked_difference(a, b):
    """Column subtraction for a >= b: a digit too small is raised by ten, the next pays one."""
    steps, borrow, x, y = [], 0, a, b
    while x or y or not steps:
        raised = 10 if x % 10 - y % 10 - borrow < 0 else 0
        digit = x % 10 - y % 10 - borrow + raised
        steps.append(f"{x % 10 + raised}-{y % 10}" + ("-1" if borrow else "") + f"={digit}")
        borrow, x, y = raised // 10, x // 10, y // 10
    return f"{', '.join(steps)}; {a - b}"


def add_with(n_digits):
    def add(rng):
        a, b = number(rng, n_digits), number(rng, n_digits)
        return f"add: {a} + {b} =", worked_sum(a, b)
    return add


def add_mixed(rng):
    a, b = number(rng, rng.randint(1, 3)), number(rng, rng.randint(1, 3))
    return f"add: {a} + {b} =", worked_sum(a, b)


def subtract(rng):
    n_digits = rng.choice((1, 2, 2, 3, 3))
    a, b = number(rng, n_digits), number(rng, rng.randint(1, n_digits))
    a, b = max(a, b), min(a, b)
    return f"subtract: {a} - {b} =", worked_difference(a, b)


def compare(rng):
    n_digits = rng.choice((1, 2, 2, 3, 3, 3))
    a, kind = number(rng, n_digits), rng.random()
    if kind < 0.15:
        b = a
    elif kind < 0.6:
        b = number(rng, n_digits)
    elif kind < 0.8:  # same beginning, so that later digits decide
        b = a // 10 * 10 + rng.randint(0, 9)
    else:
        b = number(rng, rng.randint(1, 3))
    return f"compare: {a} with {b} =", worked_comparison(a, b)


def worked_comparison(a, b):
    """First the lengths; if they are equal, digit by digit up to the first that differs."""
    word = "less" if a < b else "greater" if a > b else "equal"
    x, y = str(a), str(b)
    if len(x) != len(y):
        return f"{'shorter' if a < b else 'longer'}; {word}"
    steps = []
    for p, q in zip(x, y):
        steps.append(f"{p}{'<' if p < q else '>' if p > q else '='}{q}")
        if p != q:
            break
    return f"{','.join(steps)}; {word}"


def lookup(rng):
    """Two to six keys with their values, all different. A value is one token right after its key
    (a digit would be two: the space before it is a token of its own)."""
    n = rng.randint(2, 6)
    alike = rng.sample(rng.choice((list(LETTERS), WORDS)), 2 * n)
    keys, values = alike[:n], alike[n:]
    if rng.random() < 0.5:
        values = rng.sample(WORDS if keys[0] in LETTERS else LETTERS, n)
    asked = rng.randrange(n)
    entries = ", ".join(f"{k} {v}" for k, v in zip(keys, values))
    return f"lookup: {entries}; {keys[asked]} =", values[asked]


def more_lookups(prompt, rng, at_most):
    """Further questions about the table of a lookup, as (what is asked, answer); none held out."""
    table, asked = prompt[len("lookup: "):-len(" =")].split("; ")
    entries = [entry.split(" ") for entry in table.split(", ")]
    others = [(f"; {key} =", value) for key, value in entries
              if key != asked and not is_held_out(f"lookup: {table}; {key} =")]
    return rng.sample(others, min(len(others), at_most))


def brackets(rng):
    """Opens and closes brackets at random; the answer closes those left open (five at most)."""
    open_now, text = [], []
    for _ in range(rng.randint(1, 10)):
        if open_now and (len(open_now) == 5 or rng.random() < 0.4):
            text.append(BRACKETS[open_now.pop()])
        else:
            open_now.append(rng.choice("([{"))
            text.append(open_now[-1])
    if not open_now:
        return brackets(rng)
    return f"close: {' '.join(text)} =", " ".join(BRACKETS[b] for b in reversed(open_now))


def opposite(rng):
    a, b = rng.choice(pairs(OPPOSITES))
    if rng.random() < 0.5:
        a, b = b, a
    return f"opposite: {a} =", b


def capital(rng):
    country, city = rng.choice(pairs(CAPITALS))
    return f"capital: {country} =", city


def plural_of(noun):
    if noun.endswith(("leaf", "loaf", "shelf", "wolf", "half")):
        return noun[:-1] + "ves"
    if noun.endswith(("s", "x", "ch", "sh")) or noun in ("tomato", "potato", "hero"):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def plural(rng):
    noun = rng.choice(NOUNS)
    return f"plural: {noun} =", plural_of(noun)


def upper(rng):
    what = letters(rng, 1, 6)
    return f"upper: {' '.join(what)} =", " ".join(what).upper()


RULES = {
    "first": (3, lambda x: x[:1]),
    "last": (3, lambda x: x[-1:]),
    "middle": (3, lambda x: x[1:2]),
    "swap": (2, lambda x: x[::-1]),
    "twice": (1, lambda x: x * 2),
    "reverse": (3, lambda x: x[::-1]),
    "ends": (3, lambda x: [x[0], x[-1]]),
}


def rule(rng):
    """The rule is never named: it has to be found from the examples."""
    width, apply = RULES[rng.choice(sorted(RULES))]
    n = rng.randint(3, 4)
    rows = [rng.sample(LETTERS, width) for _ in range(n)]
    shown = [f"{' '.join(row)} > {' '.join(apply(row))}" for row in rows[:-1]]
    return f"rule: {', '.join(shown)}, {' '.join(rows[-1])} =", " ".join(apply(rows[-1]))


SKILLS = {
    "copy": copy, "reverse": reverse, "sort": sort, "sort_repeats": sort_repeats, "count": count,
    "compare": compare, "lookup": lookup, "brackets": brackets, "add1": add_with(1),
    "add2": add_with(2), "add3": add_with(3), "add": add_mixed, "subtract": subtract,
    "rule": rule, "upper": upper, "opposite": opposite, "plural": plural, "capital": capital,
}
# Closed lists that can only be known by heart: nothing of them is held out.
BY_HEART = {"opposite", "plural", "capital"}


def is_held_out(prompt):
    return zlib.crc32(prompt.encode()) % 10 == 0


def draw(skill, rng, held_out=False):
    """One case of `skill`, from the training part or the held-out part."""
    while True:
        prompt, answer = SKILLS[skill](rng)
        if skill in BY_HEART or is_held_out(prompt) == held_out:
            return prompt, answer


def is_right(skill, generated, answer):
    """Whether the generated text (cut at the end token) answers the case."""
    text = generated.strip()
    if skill.startswith(("add", "subtract", "count", "compare")):  # the result, not the working
        return text.rsplit(";", 1)[-1].strip() == answer.rsplit(";", 1)[-1].strip()
    return text == answer
