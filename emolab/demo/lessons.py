"""What the small models are taught: endless drawn examples of every task that the pipeline asks of them.

The pools named here are disjoint from the corpus's in clips and in speakers. The teaching of the generalist (InternVL)
is on purpose short of the human-centric fine-tuning of section 2.1: what it is taught of pictures mostly names basic
emotions, often one too many (web captions guess), and sometimes the wrong face. The two captioners grow up in different
worlds, each with other emotions rare, so that they guess differently where a picture is ambiguous.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emolab.captions.prompts import CAPTION, similarity
from emolab.demo import emotions
from emolab.demo.draw import Stage
from emolab.demo.emotions import EMOTIONS, FACES, WORD_TO_FAMILY
from emolab.demo.scenario import Scenario, scenario, stable_rng
from emolab.demo.texts import Writer, as_list
from emolab.internvl.prompts import zero_shot
from emolab.labels.prompts import extraction

FRAMES = 6
RARE = 0.25
EXTRA_LABEL, WRONG_FACE = 0.6, 0.08  # chances of a guess; one that is right by luck changes nothing
# The few emotions that a generalist thinks in, and how often it names one of them instead of what it sees
COARSE, BASIC = 0.7, {
    "excited": "happy", "proud": "happy", "loving": "happy", "grateful": "happy", "hopeful": "happy",
    "curious": "surprised", "confused": "surprised", "bored": "sad", "lonely": "sad", "disappointed": "sad",
    "ashamed": "sad", "worried": "afraid", "annoyed": "angry", "disgusted": "angry",
}  # fmt: skip


@dataclass(frozen=True)
class Lesson:
    """One question with its answer; images are [224, 224, 3] uint8 RGB."""

    prompt: str
    answer: str
    images: list[np.ndarray]


def loosen(s: Scenario, words: tuple[str, ...], rng: np.random.Generator) -> tuple[list[str], str]:
    """A generalist's labels and face (sometimes wrong). Mostly it names a basic emotion instead of the finer one, and
    often one too many: what zero-shot models do (section 4 of the paper), and what fine-tuning can mend."""
    families = [WORD_TO_FAMILY[word] for word in words]
    listed: list[str] = []
    for family, word in zip(families, words, strict=True):
        if family in BASIC and rng.random() < COARSE:
            word = str(rng.choice(EMOTIONS[BASIC[family]].words))
        if WORD_TO_FAMILY[word] not in {WORD_TO_FAMILY[each] for each in listed}:
            listed.append(word)
    if rng.random() < EXTRA_LABEL:
        guess = EMOTIONS[str(rng.choice(EMOTIONS[s.families[0]].near))]
        if not set(guess.words) & set(listed):
            listed.append(str(rng.choice(guess.words)))
    face = str(rng.choice(FACES)) if rng.random() < WRONG_FACE else s.face
    return listed, face


def describe(pool: str, index: int) -> Lesson:
    """Six frames and the words: section 2.1's zero-shot question."""
    s, rng = scenario(pool, index), stable_rng("describe", pool, index)
    stage = Stage(s)
    times = (np.arange(FRAMES) + rng.random(FRAMES)) / FRAMES
    words, face = loosen(s, s.seen_words(), rng)
    return Lesson(zero_shot(s.transcript), Writer(s, rng).answer(words, face), [stage.frame(t) for t in times])


def caption(pool: str, index: int) -> Lesson:
    """One image: section 3.1.2's captioning question."""
    s, rng = scenario(pool, index), stable_rng("caption", pool, index)
    writer = Writer(s, rng)
    words, face = loosen(s, writer.image_words(), rng)
    return Lesson(CAPTION, writer.caption(words, face), [Stage(s).frame(rng.uniform(0.2, 1))])


def _taught(pool: str, index: int, rare: int) -> Lesson:
    """A captioner's lesson: an honest caption; every second emotion (`rare`: 0 or 1) comes `RARE` times as often."""
    rng = stable_rng("taught", pool, index)
    attempt = 0
    while True:
        s = scenario(pool, 100 * index + attempt)
        attempt += 1
        if list(EMOTIONS).index(s.families[0]) % 2 != rare or rng.random() < RARE or attempt == 100:
            break
    return Lesson(CAPTION, Writer(s, rng).caption(), [Stage(s).frame(rng.uniform(0.2, 1))])


def caption_first(pool: str, index: int) -> Lesson:
    """The first captioner's world: happy, proud, grateful and every second emotion after them are rare."""
    return _taught(pool, index, rare=0)


def caption_second(pool: str, index: int) -> Lesson:
    """The second captioner's world: excited, loving, hopeful and every second emotion after them are rare."""
    return _taught(pool, index, rare=1)


def extract(pool: str, index: int) -> Lesson:
    """A description: list the emotional states of the main character."""
    s, rng = scenario(pool, index), stable_rng("extract", pool, index)
    writer = Writer(s, rng)
    kind = rng.random()
    if kind < 0.08:
        return Lesson(
            extraction(f"{writer.looks()} {writer.voice()} We cannot recognize the emotional state."), "[]", []
        )
    if kind < 0.6:
        return Lesson(extraction(writer.description()), as_list(s.words), [])
    words = writer.image_words()
    return Lesson(extraction(writer.caption(words)), as_list(words), [])


def judge(pool: str, index: int) -> Lesson:
    """Two captions: how similar are the emotions described, between 0 and 1? The answer names what it compares, by the
    first word of each family, and what is in both, before it gives the score: without these steps the small model
    learnt to compare how many emotions there are."""
    rng = stable_rng("judge", pool, index)
    s, other = scenario(pool, 2 * index), scenario(pool, 2 * index + 1)
    first = [str(f) for f in rng.permutation(s.families)][: int(rng.integers(1, 4))]
    kind = rng.random()
    if kind < 0.4:
        second = list(first)
    elif kind < 0.55 and len(first) > 1:
        second = first[:-1]
    elif kind < 0.7:
        second = list(dict.fromkeys([*first, str(rng.choice(EMOTIONS[first[0]].near))]))
    elif kind < 0.85:  # one exchanged for another
        second = list(dict.fromkeys([*first[:-1], str(rng.choice(sorted(EMOTIONS)))]))
    else:
        second = list(other.families[: len(first)])
    pair = [first, [str(f) for f in rng.permutation(second)]]
    if rng.random() < 0.5:
        pair.reverse()
    about = s if rng.random() < 0.7 else other
    texts = [
        Writer(scene, rng).caption(tuple(str(rng.choice(EMOTIONS[f].words)) for f in families))
        for scene, families in zip((s, about), pair, strict=True)
    ]
    score = round(20 * emotions.similarity(set(pair[0]), set(pair[1]))) / 20
    said = [", ".join(EMOTIONS[f].words[0] for f in families) for families in pair]
    both = ", ".join(EMOTIONS[f].words[0] for f in pair[1] if f in pair[0]) or "none"
    answer = f"Sentence 1: {said[0]}. Sentence 2: {said[1]}. Both: {both}. Score: {score:.2f}"
    return Lesson(similarity(*texts), answer, [])


TASKS = {
    "describe": describe, "caption": caption, "caption_first": caption_first, "caption_second": caption_second,
    "extract": extract, "judge": judge,
}  # fmt: skip
