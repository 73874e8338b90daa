"""What the models are measured by: cases held out from training, and how to judge them."""

import math
import random
import re

import questions
import skills
import stories

N_CASES = 400
N_STORIES = 400
SEED = 987654321  # never used in training

SKILL_BARS = ["copy", "reverse", "sort", "lookup", "brackets", "count", "compare", "add2", "add3",
              "subtract", "rule", "upper", "opposite", "plural", "capital"]
# The share each has to reach for the main model; the rest is reported.
GOALS = {"copy": 0.97, "reverse": 0.97, "sort": 0.97, "lookup": 0.97, "brackets": 0.97,
         "count": 0.90, "compare": 0.90, "add2": 0.90, "questions": 0.85, "story name": 0.95,
         "story words": 0.999}
BARS_OF = {
    "demo": SKILL_BARS + ["questions", "stories"],
    "stories": ["stories"],
    "arithmetic": ["add2", "add3", "subtract", "compare"],
    "sort": ["sort", "reverse", "copy"],
    "lookup": ["lookup", "brackets", "rule"],
}


def skill_cases(skill, n_cases=N_CASES):
    """Up to n_cases different cases as (request, judge)."""
    rng, cases = random.Random(f"{SEED} {skill}"), {}
    for _ in range(50 * n_cases):
        prompt, answer = skills.draw(skill, rng, held_out=True)
        cases[prompt] = answer
        if len(cases) == n_cases:
            break
    return [({"prompt": prompt, "n_predict": 48, "draft": " " + answer},
             lambda text, answer=answer: skills.is_right(skill, text, answer))
            for prompt, answer in cases.items()]


def question_cases(n_cases):
    facts = questions.read_facts()
    asked = questions.held_out_questions(facts)
    random.Random(SEED).shuffle(asked)
    return [({"prompt": questions.prompt(question), "n_predict": 64, "draft": fact.answer},
             fact.is_answered_by)
            for question, fact in asked[:n_cases]]


def story_requests(n_stories=N_STORIES):
    """The first sentences of new stories, continued at the program's default temperature."""
    rng, requests = random.Random(f"{SEED} story"), []
    for seed in range(n_stories):
        first = re.match(r"(.*?\. ?)", stories.story(rng)).group(1).rstrip()
        requests.append({"prompt": first, "n_predict": 200, "temperature": 0.8, "seed": seed})
    return requests


def judge_stories(requests, texts):
    """(right, n) for: words that exist, stories that keep the name of their hero."""
    known = stories.vocabulary(random.Random(1))
    n_words = n_broken = n_kept = 0
    for request, text in zip(requests, texts):
        words, broken, kept = stories.check(request["prompt"] + text, known)
        n_words, n_broken, n_kept = n_words + words, n_broken + len(broken), n_kept + kept
    return {"story words": (n_words - n_broken, n_words), "story name": (n_kept, len(texts))}


def measure(model, answer, n_cases=N_CASES):
    """Results {bar: (right, n)}; `answer` turns a list of requests into a list of texts."""
    results = {}
    for bar in BARS_OF[model]:
        if bar == "stories":
            requests = story_requests(min(N_STORIES, n_cases))
            results.update(judge_stories(requests, answer(requests)))
            continue
        cases = question_cases(n_cases) if bar == "questions" else skill_cases(bar, n_cases)
        texts = answer([request for request, _ in cases])
        results[bar] = (sum(judge(text) for (_, judge), text in zip(cases, texts)), len(cases))
    return results


def wilson(right, n, z=1.96):
    """The 95 % confidence interval of a share (Wilson 1927): (low, high)."""
    share = right / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def cell(right, n):
    low, high = wilson(right, n)
    return f"{100 * right / n:.1f} ({100 * low:.0f}-{100 * high:.0f}, n {n})"


def table(results):
    """Markdown: one row per bar, one column per type. results: {type: {bar: (right, n)}}"""
    types = list(results)
    rows = ["| percent right (95 % interval, n) | goal | " + " | ".join(types) + " |",
            "|---|---|" + "---|" * len(types)]
    for bar in results[types[0]]:
        goal = f"{100 * GOALS[bar]:g}" if bar in GOALS else ""
        cells = [cell(*results[t][bar]) if bar in results[t] else "" for t in types]
        rows.append(f"| {bar} | {goal} | " + " | ".join(cells) + " |")
    return "\n".join(rows)
