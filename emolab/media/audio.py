"""The sound of a clip: the whole track as a speech model takes it, or short pieces as ImageBind does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from math import gcd
from pathlib import Path

import av
import numpy as np

from emolab.media.errors import MediaError
from emolab.media.probe import open_media, packets, sound_stream

_LONG = 60.0  # seconds: a longer track is not decoded whole for a few pieces of it
_TIMED = ("mov", "wav")  # containers with exact time stamps: Matroska's are milliseconds, those of bare mp3 a guess
_BEFORE, _AFTER = 0.5, 0.1  # seconds decoded around a piece: the codec and the resampler look at their neighbours
_JITTER = 0.001  # seconds that a time stamp may be off before it means a gap


@dataclass(frozen=True)
class SoundClips:
    """Pieces of a sound track, mono: `samples` [count, samples a piece] float32. `duration` of the track in seconds.

    Without any sound `samples` is [0, samples a piece] and `duration` 0.0.
    """

    samples: np.ndarray
    duration: float


def read_audio(path: str | os.PathLike, rate: int = 16000) -> np.ndarray:
    """The first sound track, mono, at `rate` samples a second: [samples] float32, about -1..1 (can pass 1).

    Sample 0 is the first of the track, which may start at another time than the picture. Empty if there is
    no sound track; of a truncated file what exists, damaged packets left out. Raises MediaError if nothing
    decodes.
    """
    with open_media(path) as container:
        stream = sound_stream(container)
        if stream is None:
            return np.empty(0, np.float32)
        stream.codec_context.thread_count = 1
        resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
        parts, undecodable = [], 0
        for packet in [*packets(container, stream), None]:
            try:
                frames = stream.codec_context.decode(packet)
                parts += [part.to_ndarray()[0] for frame in frames for part in resampler.resample(frame)]
            except (av.FFmpegError, ValueError):  # ValueError: damage changed the format in mid-stream
                undecodable += 1
        if parts:
            parts += [part.to_ndarray()[0] for part in resampler.resample(None)]
    if not parts and undecodable:
        raise MediaError(f"{Path(path).name}: nothing of its sound track can be decoded; copy it again.")
    return np.concatenate([np.empty(0, np.float32), *parts])


def read_clips(path: str | os.PathLike, count: int = 8, seconds: float = 2.0, rate: int = 16000) -> SoundClips:
    """`count` pieces of `seconds`, spread evenly from the start of the track to its end; they overlap in a short one.

    ImageBind's scheme (load_and_transform_audio_data), which Video-LLaMA and AffectGPT use. A track shorter than a
    piece is filled up with zeros. Of a track over a minute in mp4 or wav only the pieces are decoded, placed by their
    time stamps; where that fails, and in other containers, the whole track. The samples are the same, but for the
    noise that AAC decoders make up where the encoder asks for any. Damage as in `read_audio`.
    """
    size = round(seconds * rate)
    sought = _sought_clips(path, count, size, rate)
    if sought is not None:
        return sought
    whole = read_audio(path, rate)
    if not len(whole):
        return SoundClips(np.empty((0, size), np.float32), 0.0)
    filled = np.pad(whole, (0, max(0, size - len(whole))))
    pieces = [filled[start : start + size] for start in _starts(len(whole), count, size)]
    return SoundClips(np.stack(pieces), len(whole) / rate)


def _starts(length: int, count: int, size: int) -> list[int]:
    return [number * max(length - size, 0) // max(count - 1, 1) for number in range(count)]


def _sought_clips(path: str | os.PathLike, count: int, size: int, rate: int) -> SoundClips | None:
    """`read_clips` of a long track without decoding it whole; None where it is short or something is not as expected:
    what a damaged file still holds, only a full decode tells."""
    with open_media(path) as container:
        stream = sound_stream(container)
        if stream is None or not any(name in container.format.name.split(",") for name in _TIMED):
            return None
        length = stream.duration * stream.time_base if stream.duration else (container.duration or 0) / av.time_base
        if length <= max(_LONG, 2 * count * size / rate):
            return None
        try:
            track = _LongTrack(container, stream)
            last = track.resampled(float(length) - _BEFORE, None, rate)
            total = last.start + len(last.samples)
            pieces = []
            for start in _starts(total, count, size):
                near = track.resampled(start / rate - _BEFORE, (start + size) / rate + _AFTER, rate)
                offset = start - near.start
                pieces.append(near.samples[offset : offset + size])
                if offset < 0 or len(pieces[-1]) < size:
                    return None
        except (av.FFmpegError, ValueError, _UnexpectedError):
            return None
    return SoundClips(np.stack(pieces), total / rate)


class _UnexpectedError(Exception):
    """The file is not what its header or time stamps say."""


@dataclass(frozen=True)
class _Stretch:
    """Samples of a track, mono; `start` counts from its first sample."""

    start: int
    samples: np.ndarray


class _LongTrack:
    """Stretches of one sound track, reached by seeking; nothing of the file must have been read yet."""

    def __init__(self, container: av.container.InputContainer, stream: av.AudioStream):
        self._container, self._stream = container, stream
        stream.codec_context.thread_count = 1
        self._origin = 0.0  # time stamp of the first sample, in seconds
        self._origin = next(self._frames(), (0.0,))[0]
        self._rate = stream.codec_context.sample_rate  # HE-AAC's is known only now: its header gives half of it

    def resampled(self, start: float, stop: float | None, rate: int) -> _Stretch:
        """What lies from `start` (or somewhat before) to `stop` seconds of the track (None: its end), at `rate`; but
        for the edges the samples that resampling the whole track would give."""
        # Also the start of the track is reached with a run-up: its first packets may hold nothing but that.
        self._container.seek(int((start + self._origin) / self._stream.time_base), stream=self._stream)
        stretch = self._decoded(stop)
        # The resampler's phase repeats every `step` samples: beginning at a multiple of it keeps that of the whole.
        step = self._rate // gcd(self._rate, rate)
        skip = -stretch.start % step
        frame = av.AudioFrame.from_ndarray(stretch.samples[None, skip:], format="flt", layout="mono")
        frame.sample_rate = self._rate
        resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
        parts = [part.to_ndarray()[0] for part in [*resampler.resample(frame), *resampler.resample(None)]]
        return _Stretch((stretch.start + skip) * rate // self._rate, np.concatenate(parts))

    def _decoded(self, stop: float | None) -> _Stretch:
        parts, begin, done = [], None, 0
        for time, samples in self._frames():
            begin = round(time * self._rate) if begin is None else begin
            if abs(time * self._rate - begin - done) > _JITTER * self._rate:
                raise _UnexpectedError  # a gap, or time stamps that do not fit
            parts.append(samples)
            done += len(samples)
            if stop is not None and begin + done >= stop * self._rate:
                break
        if not parts:
            raise _UnexpectedError  # the file ends before its header says so
        return _Stretch(begin, np.concatenate(parts))

    def _frames(self) -> Iterator[tuple[float, np.ndarray]]:
        """From here on: (seconds after the track's first sample, samples)."""
        mixer = av.AudioResampler(format="flt", layout="mono")
        for packet in chain(packets(self._container, self._stream), [None]):
            if packet is not None and packet.is_corrupt:
                raise _UnexpectedError
            for frame in self._stream.codec_context.decode(packet):
                if frame.pts is None:
                    raise _UnexpectedError
                for part in mixer.resample(frame):
                    yield float(frame.pts * frame.time_base) - self._origin, part.to_ndarray()[0]
