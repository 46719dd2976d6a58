"""What the Play tab shows: a walk, a text in one hand, a poster, as HTML with what can be taken away. No gradio."""

import shlex
import time
from collections.abc import Iterator, Sequence
from html import escape

from torch import Tensor

from app import hand, links, markup, morph, pad, poster, sprites
from app.play_request import Settings
from app.store import Store
from app.takeaway import downloads
from app.words import plural, probability
from diffusion_core.data import DataSpec
from diffusion_core.errors import UserError
from eval.shape import measure

FRAMES = 24
GUIDANCE = (0.0, 4.0)
PAUSE = 110  # milliseconds of a frame
DEADLINE = 120.0  # seconds a poster may take
NO_EXAMPLE = "Draw a digit, or choose an example: its style is found and every digit is written in it."


# ---------------------------------------------------------------- a walk


def walk_page(store: Store, asked: Settings) -> str:
    """The film, the strip with what the classifier reads, and the files."""
    checkpoint = store.checkpoint(asked.key)
    along = asked.other is None
    other = None if along else (asked.other, asked.other_seed)
    images = morph.walked(checkpoint, (asked.one, asked.seed), other, GUIDANCE, FRAMES)
    p, names = store.judges.read(images, checkpoint.spec.name), checkpoint.spec.class_names
    read = p.argmax(1)
    ends = (asked.one, None if along else asked.other)
    places = [GUIDANCE[1] * i / (FRAMES - 1) for i in range(FRAMES)]
    steps = [f"guidance {g:.2f}" if along else f"step {i + 1} of {FRAMES}" for i, g in enumerate(places)]
    bar = markup.film_bar(steps, 0, "Along the walk", PAUSE)
    uri = sprites.films([images[i : i + 1] for i in range(FRAMES)])[0]
    said = escape("|".join(f"reads {names[d]} · {probability(float(row[d]))}" for d, row in zip(read, p, strict=True)))
    return (
        f'<section class="walk morph" style="--frames:{FRAMES};--last:0" aria-label="A walk">'
        f'<p class="lead">{escape(_turning(read, steps, names))}</p>{bar}'
        f'<div class="morph-parts"><div><span class="tile">'
        f'<img class="pixels film" src="{uri}" alt="{escape(_said_walk(asked, checkpoint.spec))}"></span>'
        f'<p class="reading" data-frames="{said}"></p></div>{_strip(images, read, ends, names)}</div></section>'
        f"{_walk_files(asked, images)}"
    )


def _turning(read: Tensor, steps: list[str], names: Sequence[str]) -> str:
    """ "The classifier reads 5, from step 13 of 24 on 6." """
    (_, start), *rest = morph.turns(read)
    if not rest:
        return f"The classifier reads {names[start]} all the way."
    turns = ", ".join(f"{names[d]} from {steps[i]}" for i, d in rest[:3])
    return f"The classifier reads {names[start]}, then {turns}{', and it turns again' if len(rest) > 3 else ''}."


def _strip(images: Tensor, read: Tensor, ends: tuple[int, int | None], names: Sequence[str]) -> str:
    kinds = {ends[1]: "to", ends[0]: "from"}
    said = [escape(names[d]) for d in read]
    items = "".join(
        f'<li><img class="pixels" src="{uri}" width="{images.shape[3]}" height="{images.shape[2]}" alt="step {i + 1}">'
        f'<i class="{kinds.get(int(d), "wrong")}"><span class="visually-hidden">read as </span>{said[i]}</i></li>'
        for i, (uri, d) in enumerate(zip(sprites.thumbnails(images), read, strict=True))
    )
    return f'<ol class="track morph-strip" aria-label="All steps, and what the classifier reads">{items}</ol>'


def _said_walk(asked: Settings, data: DataSpec) -> str:
    start = f"{data.called(asked.one)}, seed {asked.seed}"
    if asked.other is None:
        return f"{start}, along guidance"
    return f"{start}, to {data.class_names[asked.other]}, seed {asked.other_seed}"


def _walk_files(asked: Settings, images: Tensor) -> str:
    films = [
        (t, f"walk.{k}", sprites.data_uri(morph.film(images, k.upper()), f"image/{k}"))
        for t, k in (("GIF", "gif"), ("WebP", "webp"))
    ]
    files = [("PNG strip", "walk.png", sprites.data_uri(morph.strip(images))), *films]
    way = (
        f"--guidance {GUIDANCE[0]:g}:{GUIDANCE[1]:g}"
        if asked.other is None
        else f"--to {asked.other}:{asked.other_seed}"
    )
    command = f"walk {asked.key} --from {asked.one}:{asked.seed} {way} --out walk.gif"
    digits = (asked.one,) if asked.other is None else (asked.one, asked.other)
    return _take(downloads(files), {"digits": digits, "seed": asked.seed, "n": asked.other_seed}, asked, command)


# ---------------------------------------------------------------- one hand


def hand_page(store: Store, asked: Settings) -> str:
    """The line, what the classifier reads in it, and the example beside it."""
    text, checkpoint = hand.checked(asked.text), store.checkpoint(asked.key)
    if not checkpoint.spec.strokes:
        raise UserError(f"'{asked.key}' draws no digits, and only digits can be written. Choose another checkpoint.")
    told, style = "", hand.style_of_seed(asked.seed, checkpoint.spec.shape)
    if asked.example:
        image = pad.from_data_uri(asked.example)
        read = int(store.judges.read(image, checkpoint.spec.name).argmax())
        label = read if asked.label is None else asked.label
        style = hand.style_of_example(checkpoint, image, label, asked.seed)
    line = hand.write(checkpoint, text, style, asked.seed, asked.variation)
    if asked.example:
        told = _example(image, label, asked.label is None, line)
    files = [
        ("PNG", "hand.png", sprites.data_uri(hand.png(line))),
        ("SVG", "hand.svg", sprites.data_uri(hand.svg(line).encode(), "image/svg+xml")),
        *([("your digit", "digit.png", asked.example)] if asked.example else []),
    ]
    view = {"text": text, "seed": asked.seed, "n": round(100 * asked.variation)}
    like = f"--like digit.png --like-label {label} " if asked.example else ""
    options = f"{like}--seed {asked.seed} --variation {asked.variation:g} --out hand.svg"
    command = f"write {asked.key} {options} -- {shlex.quote(text)}"  # a text may begin with a minus
    return (
        f'<section class="hand" aria-label="A text in one hand"><div class="line">{hand.svg(line, paper=False)}</div>'
        f"{markup.note(_read_back(store, line, checkpoint.spec.name), 'summary')}{told}</section>"
        f"{_take(downloads(files), view, asked, command)}"
    )


def _read_back(store: Store, line: hand.Line, dataset: str) -> str:
    """What the classifier reads, in the places of the digits."""
    read = iter(store.judges.read(line.digits, dataset).argmax(1).tolist())
    back = "".join(str(next(read)) if c.isdigit() else c for c in line.text)
    wrong = sum(a != b for a, b in zip(back, line.text, strict=True))
    said = "as it was asked" if not wrong else f"{plural(wrong, 'digit')} otherwise than asked"
    return f"The classifier reads {back}: {said}."


def _example(image: Tensor, label: int, read: bool, line: hand.Line) -> str:
    """The example as the model sees it, and its measures beside those of the line."""
    one, many = measure(image), measure(line.digits)

    def said(shape, pick) -> str:
        degrees = 57.3 * pick(shape["slant"])
        way = "right" if degrees > 0 else "left"
        return f"{pick(shape['thickness']):.1f} px thick, leaning {abs(degrees):.0f}° to the {way}"

    how = "read as" if read else "as"
    words = f"Your digit, {how} a {label}: {said(one, float)}. The line: {said(many, lambda v: float(v.median()))}."
    shown = markup.image(sprites.thumbnails(image)[0], "your digit, as the model sees it")
    return f'<figure class="like">{shown}<figcaption>{escape(words)}</figcaption></figure>'


# ---------------------------------------------------------------- a poster


def poster_pages(store: Store, asked: Settings) -> Iterator[tuple[str, str]]:
    """(the poster, progress) again and again while it fills up."""
    checkpoint, start = store.checkpoint(asked.key), time.monotonic()
    for drawn in poster.draw(checkpoint, *asked.size, asked.seed, asked.number):
        total, spent = len(drawn.images), time.monotonic() - start
        if spent > DEADLINE:
            raise UserError(f"This took more than {DEADLINE:.0f} seconds and was stopped. Choose a smaller poster.")
        left = f"{drawn.done:,} of {total:,} · about {max(1, round(spent / drawn.done * (total - drawn.done)))} s left"
        bar = markup.progress(drawn.done, total, left, f"{start:.6f}")
        yield _poster(poster.png(drawn, 1), drawn, asked), bar
    way = "" if asked.number is None else f"--number {asked.number} "
    size = "x".join(map(str, asked.size))
    command = f"poster {asked.key} --size {size} {way}--seed {asked.seed} --out poster.svg"
    save = '<a class="quiet" download="poster.png" href="#" data-save>Download PNG</a>'
    view = {"digits": None if asked.number is None else (asked.number,), "seed": asked.seed, "n": total}
    yield _poster(poster.png(drawn), drawn, asked) + _take(save, view, asked, command), ""


def _poster(png: bytes, drawn: poster.Poster, asked: Settings) -> str:
    what = "a column a class, from light to dark" if asked.number is None else f"that spell a {asked.number}"
    alt = f"{drawn.done:,} of {len(drawn.images):,} images, {what}"
    return f'<img class="pixels poster" src="{sprites.data_uri(png)}" alt="{escape(alt)}">'


# ---------------------------------------------------------------- to take away


def _take(buttons: str, view: dict, asked: Settings, command: str) -> str:
    link = links.write(tab="play", play=asked.section, a=asked.key, **view)
    return (
        f'<div class="take">{buttons}{markup.link_button(link)}</div>'
        f"{markup.copyable(f'python -m app play {command}', 'Copy the command')}"
    )
