"""Write a copy of a video or sound file that every browser plays: H.264 and AAC in mp4."""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av

from emolab.media.decode import upright
from emolab.media.errors import MediaError
from emolab.media.probe import open_media, packets, sound_stream, video_stream
from emolab.whole import whole

_TICKS = 90000  # a second: fine enough for the time stamps of any container
_RATE = 48000
_PICTURE = {"profile": "baseline", "preset": "veryfast", "crf": "23", "g": "50"}  # g: a keyframe to seek to every 2 s
_KEEP_TIME = {"async": "1", "first_pts": "0"}  # gaps become silence, so that sound and lips stay together
_LATE = 60  # seconds after the end that the header gives: such a time stamp is damage, and no hour of silence


def convert(
    source: str | os.PathLike,
    target: str | os.PathLike,
    height: int = 480,
    progress: Callable[[float], None] | None = None,
) -> None:
    """Write `source` to `target` (mp4), upright, at most `height` pixels high, each frame and its sound at its time.

    A file without picture or without sound stays so; damaged parts are left out. `progress` gets 0..1; what it raises
    ends the work. The file appears under its name only when complete. Raises MediaError where nothing decodes.
    """
    source, target = Path(source), Path(target)
    picture, sound = _first(source, "video"), _first(source, "audio")
    if picture is None and sound is None:
        raise MediaError(f"{source.name}: neither its picture nor its sound can be decoded; copy it again.")
    with (
        whole(target) as partial,
        open_media(source) as container,
        av.open(str(partial), "w", format="mp4", options={"movflags": "+faststart"}) as copy,
    ):
        tracks = {}
        if picture is not None:
            stream = video_stream(container)
            stream.codec_context.thread_type = "AUTO"
            tracks[stream] = _Picture(copy, stream, picture, height)
        if sound is not None:
            tracks[sound_stream(container)] = _Sound(copy, sound)
        _fill(container, tracks, progress or (lambda done: None))


def _first(source: Path, kind: str) -> av.VideoFrame | av.AudioFrame | None:
    """The first frame that decodes of the picture or the sound: what these are like, headers say only in part."""
    with open_media(source) as container:
        stream = video_stream(container) if kind == "video" else sound_stream(container)
        if stream is None:
            return None
        return next((frame for packet in packets(container, stream) for frame in _decoded(stream, packet)), None)


def _decoded(stream: av.stream.Stream, packet: av.Packet | None) -> list[av.VideoFrame | av.AudioFrame]:
    """What a packet gives, None for the rest at the end; nothing of a damaged one."""
    try:
        return [frame for frame in stream.codec_context.decode(packet) if not frame.is_corrupt]
    except (av.FFmpegError, ValueError):  # ValueError: damage changed the format in mid-stream
        return []


def _fill(container, tracks, progress) -> None:
    origin = Fraction(container.start_time or 0, av.time_base)
    length = container.duration and container.duration / av.time_base
    done = 0
    for packet in chain(packets(container, list(tracks)), [None]):
        for stream in tracks if packet is None else [packet.stream]:
            for frame in _decoded(stream, packet):
                time = None if frame.pts is None else frame.pts * stream.time_base - origin
                if time is None or not length or time < length + _LATE:
                    tracks[stream].add(frame, time)
        if length and packet is not None and packet.pts is not None:
            percent = int(100 * (packet.pts * packet.time_base - origin) / length)
            if done < percent < 100:
                done = percent
                progress(done / 100)
    for track in tracks.values():
        track.end()
    progress(1.0)


class _Picture:
    """Takes decoded frames with their times, and adds them to the copy."""

    def __init__(self, copy, source: av.VideoStream, first: av.VideoFrame, height: int):
        sideways = first.rotation % 180 != 0
        wide, high = first.width * float(source.sample_aspect_ratio or 1), first.height
        scale = min(1, height / (wide if sideways else high))
        self._size = tuple(max(2, 2 * round(side * scale / 2)) for side in (wide, high))  # as stored, before turning
        rate = min(max(source.average_rate or Fraction(25), 1), 120)  # some headers say 90000
        self._copy = copy
        self._stream = copy.add_stream("libx264", rate=Fraction(rate).limit_denominator(1001), options=_PICTURE)
        self._stream.width, self._stream.height = self._size[::-1] if sideways else self._size
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = Fraction(1, _TICKS)
        self._step = round(_TICKS / rate)
        self._last = -self._step

    def add(self, frame: av.VideoFrame, time: Fraction | None) -> None:
        """Without a time, or with one out of order (raw streams, AVI), a frame follows at the usual distance."""
        small = frame.reformat(*self._size, format="rgb24", interpolation="AREA")
        shown = av.VideoFrame.from_ndarray(upright(small), format="rgb24")
        ticks = self._last + self._step if time is None else round(time * _TICKS)
        self._last = ticks if ticks > self._last else self._last + self._step
        shown.pts, shown.time_base = self._last, Fraction(1, _TICKS)
        self._copy.mux(self._stream.encode(shown))

    def end(self) -> None:
        self._copy.mux(self._stream.encode(None))


class _Sound:
    """The same for sound, mono as it is, else stereo."""

    def __init__(self, copy, first: av.AudioFrame):
        layout = "mono" if first.layout.nb_channels == 1 else "stereo"
        self._copy = copy
        self._stream = copy.add_stream("aac", rate=_RATE, layout=layout, options={"aac_coder": "fast"})
        self._resampler = av.AudioResampler("fltp", layout, _RATE, frame_size=1024, options=_KEEP_TIME)

    def add(self, frame: av.AudioFrame, time: Fraction | None) -> None:
        frame.pts = None if time is None else round(time * frame.sample_rate)
        frame.time_base = Fraction(1, frame.sample_rate)
        try:
            parts = self._resampler.resample(frame)
        except ValueError:  # damage changed the format
            return
        self._encode(parts)

    def end(self) -> None:
        self._encode(self._resampler.resample(None))
        self._copy.mux(self._stream.encode(None))

    def _encode(self, parts: list[av.AudioFrame]) -> None:
        for part in parts:
            self._copy.mux(self._stream.encode(part))
