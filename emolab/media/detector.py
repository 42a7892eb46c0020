"""Find the faces of a picture and five points of each (mediapipe, whose weights come with its package)."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from emolab.errors import InputError
from emolab.media.settings import FaceSettings

_INPUT = 192  # pixels a side that the full-range detector looks at
_MESH = {"left eye": (33, 133), "right eye": (263, 362), "nose": (1,), "left mouth": (61,), "right mouth": (291,)}
_MOUTH = 0.414  # width of a mouth in distances between the eyes, as in the template of `faces.align`


@dataclass(frozen=True)
class Face:
    """A face in a picture. `box` is (x0, y0, x1, y1) in pixels and may reach beyond the picture; `score` is 0..1.

    `points` [5, 2] in pixels: left eye, right eye, nose tip, left and right mouth corner, left as seen in the picture.
    """

    box: tuple[float, float, float, float]
    score: float
    points: np.ndarray


def detect(image: np.ndarray, settings: FaceSettings) -> list[Face]:
    """All faces of a picture [height, width, 3] uint8 RGB, the one that `settings.choose` prefers first.

    Both detectors of mediapipe look at the whole picture, and where they find nothing the full-range one at its parts,
    for small faces. What it does not find in the whole counts only where the face mesh sees a face too: round things
    pass for faces otherwise. The five points are the mesh's; where it sees nothing (a face in profile) they come from
    the detector's eyes, nose and centre of the mouth. Raises InputError where mediapipe is missing.
    """
    height, width = image.shape[:2]
    with _lock:
        faces = _find(image, _graphs(settings.confidence))
    if settings.choose == "central":
        return sorted(faces, key=lambda face: (_from_centre(face, width, height), -face.score))
    return sorted(faces, key=lambda face: (-_area(face.box), -face.score))


# --- mediapipe

_lock = threading.Lock()  # the graphs are one set a process: they may not be fed by two threads at once


class _Graphs:
    """Full-range detector, short-range detector and face mesh."""

    def __init__(self, confidence: float):
        try:
            from mediapipe.python.solutions import face_detection, face_mesh
        except ImportError as error:
            raise InputError(
                f"faces.source is 'detect', which needs mediapipe ({error}); install it by "
                "`pip install --no-deps mediapipe==0.10.21` and `pip install absl-py attrs flatbuffers 'protobuf<5'`."
            ) from error
        with _quiet():
            self.full = face_detection.FaceDetection(confidence, 1)
            self.short = face_detection.FaceDetection(confidence, 0)
            self.mesh = face_mesh.FaceMesh(True, 1, min_detection_confidence=confidence)
            for graph in (self.full, self.short, self.mesh):
                graph.process(np.zeros((64, 64, 3), np.uint8))
        self.meshed = False

    def marks(self, image: np.ndarray) -> np.ndarray | None:
        """The mesh of the clearest face, [468, 2] relative to the picture, which must be square; None without one."""
        with nullcontext() if self.meshed else _quiet():  # it logs once more at its first face
            seen = self.mesh.process(image).multi_face_landmarks
        self.meshed |= bool(seen)
        return np.array([(mark.x, mark.y) for mark in seen[0].landmark]) if seen else None


_graphs = cache(_Graphs)


@contextmanager
def _quiet() -> Iterator[None]:
    """Standard error closed while mediapipe starts: it logs each model there, and no setting of its own stops that."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


# --- finding


def _find(image: np.ndarray, graphs: _Graphs) -> list[Face]:
    height, width = image.shape[:2]
    faces: list[Face] = []

    def look(detector: Any, left: int, top: int, side: tuple[int, int], trusted: bool) -> None:
        part = np.ascontiguousarray(image[top : top + side[0], left : left + side[1]])
        for found in detector.process(part).detections or []:
            place, scale = found.location_data.relative_bounding_box, (part.shape[1], part.shape[0])
            corner = np.array([place.xmin, place.ymin]) * scale + (left, top)
            box = (*corner.tolist(), *(corner + np.array([place.width, place.height]) * scale).tolist())
            if any(_overlap(box, face.box) > 0.3 for face in faces):
                continue
            points = _mesh_points(image, box, graphs)
            if points is None and trusted:
                keys = [(key.x, key.y) for key in found.location_data.relative_keypoints]
                points = _detector_points(np.array(keys[:4]) * scale + (left, top))
            if points is not None and np.hypot(*(points[1] - points[0])) >= 1:
                faces.append(Face(box, float(found.score[0]), points))

    look(graphs.full, 0, 0, (height, width), True)
    look(graphs.short, 0, 0, (height, width), False)
    side = max(height, width) // 2
    if not faces and side > _INPUT:  # smaller parts are not seen any better
        for top in _starts(height, side):
            for left in _starts(width, side):
                look(graphs.full, left, top, (side, side), False)
    return faces


def _starts(length: int, side: int) -> list[int]:
    """Where parts of `side` begin that overlap by half or more and cover the length."""
    count = max(0, -(-2 * (length - side) // side))
    return [round(number * (length - side) / count) for number in range(count + 1)] if count else [0]


def _mesh_points(image: np.ndarray, box: tuple, graphs: _Graphs) -> np.ndarray | None:
    """The five points [5, 2] of the face in `box`, from the mesh of the box enlarged twice; None if it sees none."""
    x0, y0, x1, y1 = box
    half = max(x1 - x0, y1 - y0)
    left, top = round((x0 + x1) / 2 - half), round((y0 + y1) / 2 - half)
    side = max(2, round(2 * half))
    cut = np.zeros((side, side, 3), np.uint8)
    part = image[max(top, 0) : top + side, max(left, 0) : left + side]
    cut[max(-top, 0) :, max(-left, 0) :][: part.shape[0], : part.shape[1]] = part
    marks = graphs.marks(cut)
    if marks is None:
        return None
    marks = marks * side + (left, top)
    found = (*marks.min(0), *marks.max(0))
    if _overlap(found, box) < 0.25:  # the mesh took a neighbour
        return None
    return np.array([marks[list(numbers)].mean(0) for numbers in _MESH.values()])


def _detector_points(keys: np.ndarray) -> np.ndarray:
    """The five points from the detector's eyes, nose and centre of the mouth."""
    eyes = keys[1] - keys[0]
    half = eyes * _MOUTH / 2
    return np.array([keys[0], keys[1], keys[2], keys[3] - half, keys[3] + half])


def _area(box: tuple) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def _overlap(one: tuple, other: tuple) -> float:
    """Intersection over union of two boxes."""
    both = _area((*np.maximum(one[:2], other[:2]), *np.minimum(one[2:], other[2:])))
    return both / max(_area(one) + _area(other) - both, 1e-9)


def _from_centre(face: Face, width: int, height: int) -> float:
    return float(np.hypot((face.box[0] + face.box[2] - width) / 2, (face.box[1] + face.box[3] - height) / 2))
