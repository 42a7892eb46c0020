"""What an LLM is asked about the words, and how its text becomes the prompt of the LM that gives the features.

The winner says that GPT-4's text is the prompt for Baichuan, not how it was asked: the wording is emolab's.
"""

WRITER_ID = "what-words-suggest-1"
WRITER = (
    'A person says: "{transcript}" What do these words suggest about the emotion of the speaker? Answer in one or two '
    "sentences: what the words speak of, and which emotion they suggest."
)


def what_words_suggest(transcript: str) -> str:
    """The question to the writer about one transcript."""
    return WRITER.replace("{transcript}", transcript.strip())


def prompted(written: str, transcript: str) -> str:
    """The text whose hidden states are the features: the writer's text, then the words themselves."""
    return f"{written.strip()}\n{transcript.strip()}"
