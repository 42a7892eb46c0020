"""What InternVL is fine-tuned on, and the check that nobody is scored on it."""

import dataclasses

import pytest
from PIL import Image

from emolab.corpora import Clip, read_rows
from emolab.engine.rows import write_rows
from emolab.errors import InputError
from emolab.internvl.prompts import zero_shot
from emolab.internvl.sft_data import description_rows, leaks, trained_clips, training_file, unseen
from emolab.media.settings import FrameSettings


def caption_row(image, clip_id="labelled_1", corpus="drawn"):
    messages = [{"role": "user", "content": "<image>Describe."}, {"role": "assistant", "content": "She smiles."}]
    about = {"image_id": f"{clip_id}_0", "clip_id": clip_id, "corpus": corpus, "source": "generated"}
    return {"messages": messages, "images": [str(image)], **about}


def test_described_clips_of_the_train_split_become_rows(small_corpus, tmp_path):
    clips = [clip for clip in read_rows(small_corpus) if clip.labels]
    clips.append(dataclasses.replace(clips[0], clip_id="gone", video=str(tmp_path / "gone.mp4"), split="train"))
    rows, problems = description_rows(clips, FrameSettings(parts=2), 0, tmp_path / "frames", progress=False)
    train = [clip for clip in clips if clip.split == "train" and clip.clip_id != "gone"]
    assert [row["clip_id"] for row in rows] == [clip.clip_id for clip in train] and len(train) == 6
    assert len(problems) == 1 and "gone.mp4" in problems[0]
    question, answer = (message["content"] for message in rows[0]["messages"])
    assert question == "<image><image>" + zero_shot(train[0].transcript)
    assert answer == f"{train[0].description} [{', '.join(train[0].labels)}]"
    assert {Image.open(path).size for path in rows[0]["images"]} == {(224, 224)}


def test_a_training_file_is_checked_and_knows_its_clips(small_corpus, tmp_path):
    clips = [clip for clip in read_rows(small_corpus) if clip.labels]
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    captions = tmp_path / "captions.jsonl"
    write_rows(captions, [caption_row(tmp_path / "a.png"), caption_row(tmp_path / "a.png")])
    rows, _ = description_rows(clips, FrameSettings(parts=1), 0, tmp_path / "frames", progress=False)
    counts = training_file(captions, rows, tmp_path / "new" / "train.jsonl")
    assert counts == {"rows": 8, "images": 7, "rows of generated": 2, "rows of described": 6}
    trained = trained_clips(tmp_path / "new" / "train.jsonl")
    assert {"corpus": "drawn", "clip_id": "labelled_1"} in trained and len(trained) == 7
    write_rows(captions, [caption_row(tmp_path / "b.png")])
    with pytest.raises(InputError, match="b.png does not exist"):
        training_file(captions, [], tmp_path / "train.jsonl")


def test_clips_that_were_trained_on_are_not_scored_unsaid():
    clips = [Clip("a", corpus="mer2024"), Clip("b", corpus="mer2024")]
    trained = [{"corpus": "mer2026", "clip_id": "b"}]  # the same clip under another corpus
    assert leaks(trained, clips) == ["b"]
    with pytest.raises(InputError, match=r"1 of 2 clips to be scored were trained on \(b"):
        unseen(trained, clips)
    assert unseen(trained, clips, allowed=True) == clips[:1] and unseen([], clips) == clips
