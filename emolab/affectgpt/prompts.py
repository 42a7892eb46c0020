"""AffectGPT's question (section 2.2 of the report), word for word, and its forms where a modality is missing."""

from __future__ import annotations

import re

VIDEO, AUDIO, MULTI = "<ImageHere>", "<AudioHere>", "<MultiHere>"  # one for each token that stands for a piece
HUMAN, ASSISTANT, END = "###Human: ", " ###Assistant:", "###"

# The report's text has a stray quotation mark before "Close your ears"; it is left out.
SOUND = "Close your eyes, open your ears and you imagine only based on the sound that <Audio><AudioHere></Audio>. "
PICTURES = "Close your ears, open your eyes and you see that <Video><ImageHere></Video>. "
SUBTITLE = "The subtitle content of this video is <Subtitle>{subtitle}</Subtitle>. "
QUESTION = (
    "Now as an expert in the field of emotions, please focus on the facial expressions, body movements, environment, "
    "acoustic information, subtitle content, etc., in the video to discern clues related to the emotions of the "
    "individual. Please provide a detailed description and ultimately predict the emotional state of the individual in "
    "the video."
)
# Not in the report: what stands in the place of a modality that a clip does not have
NO_SOUND = "The sound of this video is missing. "
NO_PICTURES = "The pictures of this video are missing. "
NO_SUBTITLE = "The subtitle content of this video is missing. "
TOGETHER = "Sound and pictures together give that <Multi><MultiHere></Multi>. "  # the 2025 variant's token
# MiniGPT-4's samples: AffectGPT's image-only form (train code of the 2024 release)
IMAGE = "Close your ears, open your eyes and you see that <Image><ImageHere></Image>. "
IMAGE_QUESTION = "Now answer my question based on what you have seen. Describe this image in detail."

TRIMODAL_ID, IMAGE_ID = "affectgpt-trimodal", "affectgpt-image"
_MARKS = (VIDEO, AUDIO, MULTI, "<Audio>", "</Audio>", "<Video>", "</Video>", "<Image>", "</Image>", "<Multi>",
          "</Multi>", "<Subtitle>", "</Subtitle>", "<s>", "</s>", "<|", END)  # fmt: skip
_MARK = re.compile("|".join(f"{re.escape(mark[0])}(?={re.escape(mark[1:])})" for mark in _MARKS))  # its first sign


def trimodal(subtitle: str, *, audio: bool = True, video: bool = True, multi: bool = False) -> str:
    """The question for one clip, from `###Human:` to `###Assistant:`; what is not given is said to be missing.

    Placeholders stand once: `processing.py` repeats them. An empty subtitle counts as missing."""
    text = tame(subtitle)
    parts = [SOUND if audio else NO_SOUND, PICTURES if video else NO_PICTURES]
    if multi and audio and video:
        parts.append(TOGETHER)
    parts.append(SUBTITLE.replace("{subtitle}", text) if text else NO_SUBTITLE)
    return f"{HUMAN}{''.join(parts)}{QUESTION}{ASSISTANT}"


def image_only() -> str:
    """The question for one still image (MiniGPT-4's pairs)."""
    return f"{HUMAN}{IMAGE}{IMAGE_QUESTION}{ASSISTANT}"


def tame(text: str) -> str:
    """Text of a transcript or caption as text: marks of the prompt in it lose their meaning."""
    return _MARK.sub(r"\g<0> ", text).strip()
