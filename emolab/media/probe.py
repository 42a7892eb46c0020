"""Open a media file safely and say what is in it."""

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import av

from emolab.media.errors import MediaError

# Playlists, concat scripts and the like make libav open further files or addresses; clips never need them.
_CONTAINERS = (
    "mov,matroska,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,gif,h264,hevc,m4v,mjpeg,dv,mxf,rm,"
    "wav,w64,mp3,aac,flac,amr,aiff,au,caf"
)
_REORDERED = 20  # packets after which a decoder has given its first frame


@dataclass(frozen=True)
class MediaInfo:
    """What a file holds, counted on its packets: headers of truncated files promise frames that do not exist.

    Sizes are as displayed (after `rotation`, degrees counter-clockwise); `duration` in seconds is that of the
    picture, or of the sound where there is no picture; `rate` is frames per second on average.
    """

    path: Path
    has_video: bool
    has_audio: bool
    width: int
    height: int
    rotation: int
    frames: int
    duration: float
    rate: float


@dataclass(frozen=True)
class MediaHeader:
    """What a file says of itself, true or not; its packets are not counted.

    `container` is libav's name of the format; `video`, `pixels` and `audio` are those of codecs and pixel format, None
    where there is no such track. Sizes are as displayed, `duration` is in seconds (NaN: not said), `rate` in frames per
    second (0: not said).
    """

    container: str
    video: str | None
    pixels: str | None
    audio: str | None
    width: int
    height: int
    duration: float
    rate: float


@contextmanager
def open_media(path: str | os.PathLike) -> Iterator[av.container.InputContainer]:
    """Open a local file for reading; raises MediaError with one sentence where that is impossible."""
    path = Path(path)
    try:
        size = path.stat().st_size
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        reason = getattr(error, "strerror", None) or error
        raise MediaError(f"{path.name} cannot be read ({reason}); check the path.") from error
    if not path.is_file():
        raise MediaError(f"{path.name} is not a file; give a video file.")
    if not size:
        raise MediaError(f"{path.name} is empty (0 bytes); copy or download it again.")
    options = {"protocol_whitelist": "file", "format_whitelist": _CONTAINERS}
    try:
        container = av.open(f"file:{path}", options=options, metadata_errors="replace")
    except PermissionError as error:
        raise MediaError(f"{path.name} may not be read; change its permissions.") from error
    except av.FFmpegError as error:
        raise MediaError(
            f"{path.name} is not a video or sound file, or its start or index is lost; "
            "copy it again or convert it to mp4."
        ) from error
    with container:
        if sound_stream(container) is None and video_stream(container) is None:
            raise MediaError(f"{path.name} holds neither picture nor sound that can be read; give a video file.")
        yield container


def video_stream(container: av.container.InputContainer) -> av.VideoStream | None:
    """The first video stream that is not an attached picture (cover art), of a codec that is known."""
    cover = av.stream.Disposition.attached_pic
    return next((s for s in container.streams.video if s.codec_context and not s.disposition & cover), None)


def sound_stream(container: av.container.InputContainer) -> av.AudioStream | None:
    """The first sound track of a codec that is known."""
    return next((s for s in container.streams.audio if s.codec_context), None)


def packets(
    container: av.container.InputContainer, stream: av.stream.Stream | Sequence[av.stream.Stream]
) -> Iterator[av.Packet]:
    """Packets with content, up to the end of the file or to where a damaged file can no longer be read."""
    try:
        for packet in container.demux(stream):
            if packet.size:
                yield packet
    except av.FFmpegError:
        return


def probe(path: str | os.PathLike) -> MediaInfo:
    """What a file holds, by reading its packets; only the first frame is decoded, for its rotation.

    Raises MediaError for a missing, empty or unreadable file and for one without picture or sound.
    """
    with open_media(path) as container:
        video = video_stream(container)
        sound = sound_stream(container)
        stream = video or sound
        rotation, stamps, count = None, [], 0
        for packet in packets(container, stream):
            if video and rotation is None:
                rotation = _rotation(video, packet)
            if packet.is_discard or packet.is_corrupt:
                continue
            count += 1
            stamp = packet.pts if packet.pts is not None else packet.dts
            if stamp is not None:
                stamps.append((stamp, packet.duration or 0))
        duration = 0.0
        if stamps:
            (first, _), (last, step) = min(stamps), max(stamps)
            # Some containers give no duration of the last packet: take the mean distance.
            step = step or (last - first) / max(len(stamps) - 1, 1)
            duration = float((last - first + step) * stream.time_base)
        rotation = rotation or 0
        sideways = rotation % 180 != 0
        width, height = (video.width, video.height) if video else (0, 0)
        return MediaInfo(
            path=Path(path),
            has_video=video is not None,
            has_audio=sound is not None,
            width=height if sideways else width,
            height=width if sideways else height,
            rotation=rotation,
            frames=count if video else 0,
            duration=duration,
            rate=count / duration if video and duration else 0.0,
        )


def read_header(path: str | os.PathLike) -> MediaHeader:
    """What a file's header says, quickly; of the picture one frame is decoded, for its rotation. Raises MediaError for
    a missing, empty or unreadable file and for one without picture or sound."""
    with open_media(path) as container:
        video, sound = video_stream(container), sound_stream(container)
        width, height = (video.width, video.height) if video else (0, 0)
        if video:
            video.codec_context.thread_count = 1
            first = (_rotation(video, packet) for packet in islice(packets(container, video), _REORDERED))
            if (next((turn for turn in first if turn is not None), None) or 0) % 180:
                width, height = height, width
        return MediaHeader(
            container=container.format.name,
            video=video and video.codec_context.codec.canonical_name,
            pixels=video and video.codec_context.pix_fmt,
            audio=sound and sound.codec_context.codec.canonical_name,
            width=width,
            height=height,
            duration=_said_duration(container),
            rate=float(video.average_rate or 0) if video else 0.0,
        )


def read_duration(path: str | os.PathLike) -> float:
    """Seconds that the header promises; NaN where it says nothing. Raises MediaError as `read_header`."""
    with open_media(path) as container:
        return _said_duration(container)


def _said_duration(container: av.container.InputContainer) -> float:
    return container.duration / av.time_base if container.duration else math.nan


def _rotation(video: av.VideoStream, packet: av.Packet) -> int | None:
    try:
        frames = video.codec_context.decode(packet)
    except av.FFmpegError:
        return None
    return frames[0].rotation if frames else None
