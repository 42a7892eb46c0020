"""Decode only the wanted frames of a clip, each equal to that of a full decode from the start.

The packets of the file are read once (a clip is short; they stay in memory). Each wanted frame is reached
from the keyframe before it, and of the frames between only those that others refer to are decoded. One thread
a clip: PyAV releases the GIL, so clips are best decoded in parallel.
"""

import os
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import av
import numpy as np

from emolab.media.errors import MediaError
from emolab.media.probe import open_media, packets, video_stream


@dataclass(frozen=True)
class DecodedFrames:
    """Frames as displayed (rotation applied), each [height, width, 3] uint8 RGB.

    `positions` count in display order from 0, `times` are seconds after the first frame of the clip.
    `problem` is one sentence where the file is damaged or shorter than its header says, else None.
    """

    images: list[np.ndarray]
    positions: list[int]
    times: list[float]
    problem: str | None


def decode_frames(path: str | os.PathLike, choose: Callable[[int], list[int]]) -> DecodedFrames:
    """Decode the frames at `choose(number of frames)`, positions in display order.

    Damaged frames, and frames between damage and the next keyframe, are never returned: where a chosen one
    turns out so, `choose` is asked again about the intact frames alone. Damage is what the decoder notices:
    H.264 has no checksums, and some changed bytes decode without complaint. Raises MediaError if no frame is
    left.
    """
    name = Path(path).name
    with open_media(path) as container:
        stream = video_stream(container)
        if stream is None:
            raise MediaError(f"{name} has sound but no picture; give a video file.")
        track = _Track(stream, list(packets(container, stream)))
        existing = len(track.packets)
        order, stamps, lost = track.by_timestamp()
        chosen = [order[position] for position in choose(len(order))] if order else []
        frames = track.planned(set(chosen), stamps) if chosen else {}
        if not order or not frames.keys() >= set(chosen):
            order, stamps, lost = track.intact()
            if not order:
                raise MediaError(f"{name}: none of its {existing} frames can be decoded; copy it again.")
            chosen = [order[position] for position in choose(len(order))]
            frames = {n: frame for n, frame in track.run(0, existing) if frame and n in set(chosen)}

        images = {number: upright(frame) for number, frame in frames.items()}
        place = {number: position for position, number in enumerate(order)}
        shown = [stamps[n] for n in order]
        if None in shown or shown != sorted(shown):  # raw streams and AVI: take the frame rate
            times = [place[n] / float(stream.average_rate or 25) for n in chosen]
        else:
            times = [float((stamps[n] - shown[0]) * stream.time_base) for n in chosen]
        problem = None
        if lost:
            problem = f"{name} is damaged: {lost} of its {existing} frames are unusable and were left out."
        elif "mp4" in container.format.name and stream.frames > existing:  # other headers count otherwise
            problem = f"{name} is cut short: its header says {stream.frames} frames, {existing} exist."
        return DecodedFrames([images[n] for n in chosen], [place[n] for n in chosen], times, problem)


def middle_frame(path: str | os.PathLike) -> np.ndarray:
    """One frame from near the middle [height, width, 3] uint8 RGB, as displayed: for a small picture of a clip, so at
    most a second is decoded from the keyframe before. Raises MediaError where nothing decodes."""
    with open_media(path) as container:
        stream = video_stream(container)
        if stream is None:
            raise MediaError(f"{Path(path).name} has sound but no picture; give a video file.")
        stream.codec_context.thread_count = 1
        start, length = container.start_time or 0, container.duration
        # The middle of a truncated file may not be there. Raw streams know no length, and can only be read on.
        for place in (start + length // 2, start) if length else (None,):
            if place is not None:
                with suppress(av.FFmpegError):
                    container.seek(place)
            frame = _last_until(stream, islice(packets(container, stream), 25), (place or 0) / av.time_base)
            if frame is not None:
                return upright(frame)
    raise MediaError(f"{Path(path).name}: none of its frames can be decoded; copy it again.")


def _last_until(stream: av.VideoStream, encoded: Iterator[av.Packet], time: float) -> av.VideoFrame | None:
    stream.codec_context.flush_buffers()
    shown = None
    for packet in chain(encoded, [None]):
        with suppress(av.FFmpegError):
            for frame in stream.codec_context.decode(packet):
                shown = shown if frame.is_corrupt else frame
                if frame.pts is not None and frame.pts * stream.time_base >= time:
                    return shown
    return shown


class _Track:
    """The packets of one video stream in decoding order; a frame is known by the number of its packet."""

    def __init__(self, stream: av.VideoStream, track: list[av.Packet]):
        self.packets = track
        self.context = stream.codec_context
        self.context.thread_count = 1
        self.context.copy_opaque = True
        for number, packet in enumerate(track):
            packet.opaque = (number,)  # a new tuple: PyAV keys these by identity, and small ints are shared
        self.keys = [n for n, packet in enumerate(track) if packet.is_keyframe] or [0]

    def by_timestamp(self) -> tuple[list[int], list[int | None], int]:
        """From the packets alone: intact frames in display order, all timestamps, how many frames are lost.

        The order is empty where timestamps are missing, not unique, or (AVI) in decoding order though the
        codec reorders.
        """
        shown = [n for n, packet in enumerate(self.packets) if not packet.is_discard]
        stamps = [packet.pts for packet in self.packets]
        if None in stamps or len({stamps[n] for n in shown}) < len(shown):
            return [], stamps, 0
        if self.context.has_b_frames and stamps == sorted(stamps) and len(stamps) > 2:
            return [], stamps, 0
        corrupt = {n for n in shown if self.packets[n].is_corrupt}
        order = [n for n in shown if not self._spoiled(n, corrupt, stamps)]
        return sorted(order, key=stamps.__getitem__), stamps, len(shown) - len(order)

    def planned(self, wanted: Collection[int], stamps: list[int]) -> dict[int, av.VideoFrame]:
        """Decode the wanted frames by the shortest way; those that cannot be trusted are absent."""
        groups = defaultdict(set)
        for number in wanted:
            groups[self._start(number, stamps)].add(number)
        found = {}
        for start, members in groups.items():
            damaged, seen = set(), {}
            for number, frame in self.run(start, max(members) + 1, members):
                if frame is None:
                    damaged.add(number)
                elif number in members or number == start:
                    seen[number] = frame
            # Under intra refresh a "keyframe" starts a gradual repair and is not shown: nothing to build on.
            if start not in seen and not self.packets[start].is_discard:
                damaged.add(start)
            found |= {n: seen[n] for n in members & seen.keys() if not self._spoiled(n, damaged, stamps)}
        return found

    def intact(self) -> tuple[list[int], list[int | None], int]:
        """The same by decoding everything; slow, for damaged files and those without timestamps."""
        seen, stamps = [], [None] * len(self.packets)
        damaged = {number for number, packet in enumerate(self.packets) if packet.is_corrupt}
        for number, frame in self.run(0, len(self.packets)):
            seen.append(number)
            if frame is None:
                damaged.add(number)
            else:
                stamps[number] = frame.pts
        ranks = [-1] * len(self.packets)
        for rank, number in enumerate(seen):
            ranks[number] = rank
        order = [number for number in seen if not self._spoiled(number, damaged, ranks)]
        return order, stamps, len(damaged.union(seen)) - len(order)

    def run(
        self, first: int, stop: int, targets: Collection[int] | None = None
    ) -> Iterator[tuple[int, av.VideoFrame | None]]:
        """Decode packets first..stop; yields (packet number, frame) as displayed, None for a damaged frame.

        With `targets`, other frames that nothing refers to are skipped.
        """
        self.context.flush_buffers()
        for number in [*range(first, stop), None]:
            skip = targets is not None and number not in targets
            self.context.skip_frame = "NONREF" if skip and number is not None else "DEFAULT"
            try:
                frames = self.context.decode(None if number is None else self.packets[number])
            except av.FFmpegError:
                yield (stop - 1 if number is None else number), None
                continue
            for frame in frames:
                if frame.opaque:  # absent where the decoder invents a frame for one it misses
                    yield frame.opaque[0], None if frame.is_corrupt else frame

    def _start(self, number: int, ranks: list[int]) -> int:
        """The keyframe to decode from; -1 where there is none.

        In an open GOP, frames that follow a keyframe in the file may be shown before it and refer to the GOP
        before.
        """
        key = bisect_right(self.keys, number) - 1
        if key >= 0 and ranks[self.keys[key]] > ranks[number]:
            key -= 1
        return self.keys[key] if key >= 0 else -1

    def _spoiled(self, number: int, damaged: Collection[int], ranks: list[int]) -> bool:
        """Whether a frame may show damage: decoders conceal it and hand it on to what refers to the frame."""
        start = self._start(number, ranks)
        # Frames shown before the keyframe have lost their references when decoding starts there: no harm.
        return start < 0 or any(start <= n <= number and ranks[n] >= ranks[start] for n in damaged)


def upright(frame: av.VideoFrame) -> np.ndarray:
    """RGB pixels [height, width, 3] turned and mirrored as the display matrix says (right angles only, as players)."""
    pixels = frame.reformat(format="rgb24", threads=1).to_ndarray()
    # Asked of a tiny copy: a frame and its side data refer to each other, so they stay until Python collects garbage
    tiny = frame.reformat(width=16, height=16, interpolation="POINT", threads=1)
    matrix = next((side for side in tiny.side_data.keys() if side.type.name == "DISPLAYMATRIX"), None)
    if matrix is None:
        return pixels
    # x' = a x + c y and y' = b x + d y, in 16.16 fixed point.
    a, b, _, c, d = np.sign(np.round(np.frombuffer(matrix, np.int32)[:5] / 65536))
    if a == 0 == d:
        pixels, a, d = pixels.swapaxes(0, 1), c, b
    return np.ascontiguousarray(pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])
