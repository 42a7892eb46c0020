"""The prompts of section 3.1.2, word for word."""

CAPTION = (
    "As an expert in the field of emotions, pay close attention to the facial expressions, body movements, "
    "environment, and subtitle content of the characters in the image to capture clues closely related to personal "
    "emotions, and provide detailed descriptions based on this, and finally predict the emotional state of the "
    "characters in the image."
)

CAPTION_ID = "caption-3.1.2"
SIMILARITY_ID = "similarity-3.1.2"
SIMILARITY = (
    "Please judge whether the emotions described in these two sentences are similar and give a score between 0 and 1."
)


def similarity(first: str, second: str) -> str:
    """The judge's prompt for a pair of captions; the paper gives the instruction, its layout is emolab's."""
    return f"{SIMILARITY}\nSentence 1: {first.strip()}\nSentence 2: {second.strip()}"
