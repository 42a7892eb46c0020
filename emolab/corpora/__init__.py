"""One reader for each layout of clips; all of them give Clip rows."""

from emolab.corpora.clip import Clip
from emolab.corpora.read import read_folder, read_rows
from emolab.corpora.readers import reader

__all__ = ["Clip", "read_folder", "read_rows", "reader"]
