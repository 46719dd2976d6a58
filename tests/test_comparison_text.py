"""What `compare` prints: width, words and numbers of the terminal's text."""

from app.compare_command import side_by_side
from app.comparison_text import lines
from eval.compare import compare
from eval.formats import minus
from tests.made_reports import made_report


def test_the_terminal_says_what_was_compared_and_ends_with_the_verdict():
    sets = {"fd": (3.0, 0.5), "second_fd": (1, 1)}
    a = made_report("early", {8: 0.6, 2: 0.1}, sets=sets, images_seen=10)
    b = made_report("late", {8: 0.3}, sets=sets, images_seen=20)
    c, found = compare(a, b), side_by_side(a, b)
    text = lines(c, found)
    assert text[:2] == ["A: early", "B: late"] and max(map(len, text)) <= 113
    d, eight = c.row("accuracy").difference, c.row("accuracy", "8")
    row = next(line for line in text if line.startswith("Classifier accuracy  "))
    assert f"+{100 * d.value:.1f} points [{100 * d.low:.1f}, {100 * d.high:.1f}]" in row
    row = next(line for line in text if line.startswith("8  "))
    assert row.split()[-1] == ("<0.001" if eight.p < 0.001 else f"{eight.p:.3f}")
    gained = found["flips"]["knn"]["gained"]
    first = f"Nearest neighbours: only B is right on {len(gained)}: {gained[0]['label']} (seed {gained[0]['seed']})"
    assert len(gained) > 8 and any(line.startswith(first) for line in text)
    assert "CLIP: only A is right on 0" in text and "images_seen: 10 | 20" in text
    assert any(line.startswith("Frechet distance") for line in text) and "(6 more metrics" in "".join(text)
    assert " ".join(" ".join(text[text.index("") :]).split()).endswith(minus(c.verdict))


def test_images_that_are_no_pairs_say_why():
    a, b = made_report("early", {8: 0.6}), made_report("file", kind="npz", seeded=False)
    text = "\n".join(lines(compare(a, b), side_by_side(a, b)))
    assert "Compared as independent groups: nobody said which seeds the images of file have." in text
    assert "only A is right" not in text
