"""Tests of tools/zoo: the exercises and their judges, and (with PyTorch) the whole chain from
nothing to generated text on a nano model.

    zoo_test.py exercises
    zoo_test.py chain BIN_FOLDER     exits with 77, saying so, where PyTorch is missing
"""

import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools/zoo"))
sys.dont_write_bytecode = True

import bars
import questions
import skills
import stories

SKIPPED = 77


def test_worked_arithmetic():
    assert skills.worked_sum(47, 85) == "7+5=12, 4+8+1=13; 132"
    assert skills.worked_sum(0, 0) == "0+0=0; 0"
    assert skills.worked_difference(85, 47) == "15-7=8, 8-4-1=3; 38"
    assert skills.worked_difference(100, 1) == "10-1=9, 10-0-1=9, 1-0-1=0; 99"
    for a in range(0, 1000, 7):
        for b in range(0, a + 1, 13):
            for steps, result in ((skills.worked_sum(a, b), a + b),
                                  (skills.worked_difference(a, b), a - b)):
                columns, total = steps.split("; ")
                assert int(total) == result
                for column in columns.split(", "):
                    left, right = column.split("=")
                    assert eval(left) == int(right), steps  # our own text: digits, + and -


def test_answers_by_a_second_way():
    rng = random.Random(3)
    closing = {")": "(", "]": "[", "}": "{"}
    for _ in range(300):
        prompt, answer = skills.draw("sort", rng)
        what = prompt[len("sort: "):-len(" =")].split()
        assert "".join(answer.split()) == "".join(c * what.count(c) for c in skills.LETTERS)
        prompt, answer = skills.draw("count", rng)
        letter, what = prompt[len("count: "):-len(" =")].split(" in ")
        steps, total = answer.split("; ")
        assert int(total) == len(what.split()) - len(what.replace(letter, "").split())
        assert "".join(c for c in steps if c.isalpha()) == what.replace(" ", ""), answer
        prompt, answer = skills.draw("brackets", rng)
        text = (prompt[len("close: "):-len(" =")] + answer).replace(" ", "")
        while any(b + a in text for a, b in closing.items()):
            for a, b in closing.items():
                text = text.replace(b + a, "")
        assert text == ""
        prompt, answer = skills.draw("lookup", rng)
        table, asked = prompt[len("lookup: "):-len(" =")].split("; ")
        assert f"{asked} {answer}" in table.split(", ")
        for question, value in skills.more_lookups(prompt, rng, 3):
            key = question[len("; "):-len(" =")]
            assert key != asked and f"{key} {value}" in table.split(", ")
            assert not skills.is_held_out(f"lookup: {table}; {key} =")
        prompt, answer = skills.draw("compare", rng)
        a, b = prompt[len("compare: "):-len(" =")].split(" with ")
        sign = {"less": "<", "greater": ">", "equal": "=="}[answer.split("; ")[1]]
        assert eval(f"{a} {sign} {b}"), prompt  # two numbers


def test_worked_counts_and_comparisons():
    assert skills.worked_count("c", list("cecc")) == "c1 e1 c2 c3; 3"
    assert skills.worked_count("c", ["x"]) == "x0; 0"
    assert skills.worked_comparison(692, 674) == "6=6,9>7; greater"
    assert skills.worked_comparison(55, 55) == "5=5,5=5; equal"
    assert skills.worked_comparison(7, 10) == "shorter; less"
    assert skills.worked_comparison(100, 99) == "longer; greater"


def test_held_out_cases_are_never_trained_on():
    rng = random.Random(5)
    for skill in skills.SKILLS:
        for _ in range(100):
            assert skill in skills.BY_HEART or not skills.is_held_out(skills.draw(skill, rng)[0])
    asked = {q for fact in questions.read_facts() for q in fact.questions}
    for question, _ in questions.held_out_questions(questions.read_facts()):
        assert question not in asked, question


def test_judges_reject_wrong_answers():
    assert skills.is_right("sort", " a b c", "a b c")
    assert not skills.is_right("sort", " a c b", "a b c")
    assert not skills.is_right("sort", "", "a b c")
    assert skills.is_right("add2", " 7+5=12, 4+8=12; 132", "7+5=12, 4+8+1=13; 132")
    assert not skills.is_right("add2", " 7+5=12, 4+8+1=13; 133", "7+5=12, 4+8+1=13; 132")
    fact = next(f for f in questions.read_facts() if "keys and values" in f.keys)
    assert fact.is_answered_by(fact.answer) and not fact.is_answered_by("It keeps queries.")
    known = stories.vocabulary(random.Random(1), 500)
    text = stories.story(random.Random(9))
    name = next(n for n in stories.GIRLS + stories.BOYS if n in text)
    other = "Tom" if name != "Tom" else "Lily"
    assert stories.check(text, known)[1:] == ([], True)
    assert stories.check(text + " Kitchne", known)[1] == ["Kitchne"]
    assert not stories.check(text + f" {other} smiled.", known)[2]


def test_wilson():
    low, high = bars.wilson(81, 263)  # an example of the literature: 0.2553 to 0.3662
    assert abs(low - 0.2553) < 1e-3 and abs(high - 0.3662) < 1e-3
    assert bars.wilson(400, 400)[1] == 1.0 and bars.wilson(0, 400)[0] == 0.0


def greedy(model, ids, n_predict):
    """Ids made by PyTorch, the likeliest first, until the end token."""
    import bpe
    import torch
    from model import document_mask
    made = []
    with torch.no_grad():
        while len(made) < n_predict:
            x = torch.tensor([ids + made])
            mask = document_mask(torch.zeros(1, x.shape[1]))
            best = model.logits(model.hidden(x, mask))[0, -1].argmax().item()
            if best in (bpe.END, bpe.CHAT_END):
                break
            made.append(best)
    return made


def check_wanted_positions(model):
    """What is computed for some positions only is what would be computed for all."""
    import torch
    from model import document_mask
    ids = torch.arange(24).view(2, 12)
    wanted = ids % 3 == 1
    mask = document_mask(torch.tensor([[1] * 7 + [2] * 5] * 2))
    with torch.no_grad():
        some, every = model.hidden(ids, mask, wanted), model.hidden(ids, mask)
    assert torch.allclose(some, every[wanted], atol=1e-5)


def check_weights_read_back(model, path):
    """What --start-from reads are the weights that were written."""
    import weights
    read = weights.read(path)
    assert len(read) == len(model.named())
    for name, p in model.named():
        assert (read[name + ".weight"] == p.detach().flatten().numpy()).all(), name


def test_chain(bin_folder):
    """Generate -> tokenizer -> 20 steps of training -> export -> load -> generate."""
    import bpe
    import torch
    from model import Llama, Shape
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "GALLEY_BIN": bin_folder, "GALLEY_ZOO": folder}
        subprocess.run([ROOT / "tools/zoo/rebuild", "nano"], env=environment, check=True)
        work = pathlib.Path(folder) / "nano"
        log = [json.loads(line) for line in open(work / "log.jsonl", encoding="utf-8")]
        assert log[-1]["step"] == 20 and log[-1]["loss"] < 6.0, log  # it began at ln(323) = 5.8

        prompts = ["copy: a b c =", "  Two  spaces,\n\nlines; it's 1234!", "", "<|im_start|>user\nHi"]
        lines = "".join(json.dumps({"prompt": p, "n_predict": 12}) + "\n" for p in prompts)
        made = subprocess.run([f"{bin_folder}/galley-answer", work / "nano-F16.gguf"], input=lines,
                              capture_output=True, text=True, check=True).stdout
        answers = [json.loads(line) for line in made.splitlines()]

        tokenizer = bpe.Tokenizer(work / "merges.txt")
        state = torch.load(work / "checkpoint.pt")
        model, at = Llama(Shape(**state["shape"])), 0
        for name, p in model.named():  # rounded as the exporter rounds
            values = state["weights"][at:at + p.numel()].view(p.shape)
            p.data = values.half().float() if p.dim() == 2 else values
            at += p.numel()
        check_wanted_positions(model)
        check_weights_read_back(model, work / "nano-F16.gguf")
        for prompt, answer in zip(prompts, answers):
            ids = [bpe.END] + tokenizer.encode(prompt)
            assert answer["prompt_ids"] == ids, prompt
            expected = greedy(model, ids, 12)
            assert answer["text"] == tokenizer.decode(expected), (prompt, answer)


def main():
    if sys.argv[1] == "exercises":
        for name, test in list(globals().items()):
            if name.startswith("test_") and name != "test_chain":
                test()
                print("ok", name)
        return 0
    try:
        import torch  # noqa: F401
    except ImportError:
        print("skipped: python3-torch is not installed")
        return SKIPPED
    test_chain(sys.argv[2])
    print("ok test_chain")
    return 0


if __name__ == "__main__":
    sys.exit(main())
