"""The inspector: clips with their video, what each model said of them, and a file of the annotator's own labels."""

from __future__ import annotations

import getpass
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import anywidget
import numpy as np

from emolab.corpora.clip import Clip
from emolab.errors import EmolabError, InputError
from emolab.inspect.annotation_export import FORMATS, export
from emolab.inspect.annotation_file import AnnotationFile, changes, standing
from emolab.inspect.inspection import Inspection
from emolab.inspect.inspector_page import InspectorExamples
from emolab.inspect.live import LivePanel
from emolab.inspect.media import Media
from emolab.inspect.sources import script, style
from emolab.scoring.clips import LabelSets

if TYPE_CHECKING:
    import pandas as pd

Send = Callable[[Mapping[str, Any], Sequence[bytes]], None]
_THUMBS = 40  # in one answer
_LONG = ("convert", "durations", "live", "against", "export")  # link.js knows them as well
_SOON = 5000  # clips that are compared with annotations again after each change


class Inspector(anywidget.AnyWidget):
    """The widget. All goes by custom messages, so that the notebook stores nothing of it.

    A view filters, counts and sorts on columns that it is sent once (`index`); pictures, sound and texts of a clip come
    when it is opened. Each message of a view has a `request` that its answer carries back; what concerns all views
    (annotations, a clip that was added) has other requests or none. What takes long runs in a thread of its own.
    """

    _esm = script()
    _css = style()

    def __init__(
        self,
        inspection: Inspection,
        media: Media,
        annotations: AnnotationFile,
        *,
        author: str | None = None,
        live: LivePanel | None = None,
    ) -> None:
        super().__init__()
        self._inspection, self._media, self._live = inspection, media, live
        self._file, self._author, self._named = annotations, author or _user(), author is not None
        self._against = "corpus"
        self._marked: set[int] = set()
        self._shown: Sequence[int] | None = None  # None: no view has said yet
        self._busy = threading.Lock()  # one clip is predicted at a time
        # Clips are added, or compared with another truth: only threads take it, and before the next one, never after
        self._growing = threading.Lock()
        self._whole = threading.RLock()  # clips and columns agree
        self.on_msg(lambda _, message, buffers: self.handle(message, buffers, self.send))

    # --- what people read of it

    @property
    def selected(self) -> pd.DataFrame:
        """The clips that are marked (x): clip_id, truth, and of each model its labels and F."""
        return self._table(sorted(self._marked))

    @property
    def shown(self) -> pd.DataFrame:
        """The clips that the filters let through, in the order of the list, as `selected` has them."""
        return self._table(range(len(self._inspection)) if self._shown is None else self._shown)

    @property
    def annotations(self) -> pd.DataFrame:
        """What stands in annotations.jsonl now: clip_id, labels, note, author, time, and beside them the labels of the
        corpus, what was added to them and what was removed. InputError where it cannot be read."""
        import pandas as pd

        columns = ("clip_id", "labels", "note", "author", "time", "truth", "added", "removed")
        return pd.DataFrame([{key: row[key] for key in columns} for row in self._standing()], columns=columns)

    def _table(self, positions: Sequence[int]) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame([self._inspection.row(int(each)) for each in positions], columns=self._inspection.columns)

    def _standing(self) -> list[dict]:
        """The annotations that stand, of clips that are here or not, each with the truth of the corpus beside it."""
        truth = {clip.clip_id: clip.labels for clip in self._inspection.clips}
        rows = []
        for clip_id, history in self._file.history().items():
            if row := standing(history):
                added, removed = changes(truth.get(clip_id), row)
                own = truth.get(clip_id)
                rows.append({**row, "truth": None if own is None else list(own), "added": added, "removed": removed})
        return rows

    # --- messages

    def handle(self, message: Mapping[str, Any], buffers: Sequence[Any], send: Send) -> None:
        """Answer one message of a view through `send(message, buffers)`, at once or from a thread."""
        request = {"request": message.get("request")}

        def answer() -> None:
            try:
                done = getattr(self, f"_on_{message['kind']}")(message, buffers, send)
                if done is not None:
                    send(done[0] | request, done[1])
            except EmolabError as error:
                send({"kind": "problem", "text": str(error)} | request, [])
            except Exception as error:  # else the view would wait for ever
                send({"kind": "problem", "text": f"{type(error).__name__}: {error}"} | request, [])

        if message["kind"] in _LONG:
            threading.Thread(target=answer, daemon=True).start()
        else:
            with self._whole:
                answer()

    def _on_ping(self, *_: Any) -> tuple[dict, list]:
        return {"kind": "pong"}, []

    def _on_open(self, *_: Any) -> tuple[dict, list[bytes]]:
        return self._index()

    def _index(self, keep: int | None = None) -> tuple[dict, list[bytes]]:
        about, columns = self._inspection.index()
        known = {clip: number for number, clip in enumerate(self._inspection.clip_ids)}
        rows = {known[row["clip_id"]]: row for row in self._standing() if row["clip_id"] in known}
        return {
            "kind": "index",
            **about,
            "looks": [{"name": look.name} for look in self._media.looks],
            "writable": True,
            "author": self._author,
            "named": self._named,  # by the caller, which goes before what a browser remembers
            "live": self._live and {"models": self._live.names},
            "against": self._against,
            "annotations": rows,
            "marked": sorted(self._marked),
            "keep": keep,
        }, columns

    def _on_texts(self, *_: Any) -> tuple[dict, list[bytes]]:
        return {"kind": "texts"}, [self._inspection.texts()]

    def _on_clip(self, message: Mapping, *_: Any) -> tuple[dict, list]:
        position = message["position"]
        history = self._file.history().get(self._inspection.clips[position].clip_id, [])
        said = {"annotation": standing(history), "history": history}
        return {"kind": "clip", "position": position, **self._inspection.detail(position), **said}, []

    def _on_media(self, message: Mapping, *_: Any) -> tuple[dict, list]:
        return {"kind": "media", "position": message["position"], **self._media.describe(self._clip(message))}, []

    def _on_bytes(self, message: Mapping, *_: Any) -> tuple[dict, list[bytes]]:
        about, chunk = self._media.chunk(self._clip(message), message["from"])
        return {"kind": "bytes", "position": message["position"], **about}, [chunk]

    def _on_frames(self, message: Mapping, *_: Any) -> tuple[dict, list[bytes]]:
        return self._pictures(message, self._media.frames)

    def _on_faces(self, message: Mapping, *_: Any) -> tuple[dict, list[bytes]]:
        return self._pictures(message, self._media.faces)

    def _pictures(self, message: Mapping, take: Callable) -> tuple[dict, list[bytes]]:
        asked = {key: message[key] for key in ("kind", "position", "look")}
        about, pictures = take(self._clip(message), message["look"])
        return asked | about, pictures

    def _on_thumbs(self, message: Mapping, *_: Any) -> tuple[dict, list[bytes]]:
        positions = message["positions"][:_THUMBS]
        clips = [self._inspection.clips[position] for position in positions]
        return {"kind": "thumbs", "positions": positions}, [self._media.thumb(clip) for clip in clips]

    def _on_durations(self, message: Mapping, _: Any, send: Send) -> tuple[dict, list[bytes]]:
        seconds = np.full(len(self._inspection), np.nan, np.float32)
        said = {"kind": "durations", "of": len(seconds)}
        for number, clip in enumerate(list(self._inspection.clips)[: len(seconds)]):
            if number % 2000 == 1999:
                send(said | {"read": number, "request": None}, [seconds.tobytes()])
            seconds[number] = self._media.duration(clip)
        return said | {"read": len(seconds)}, [seconds.tobytes()]

    def _on_convert(self, message: Mapping, _: Any, send: Send) -> tuple[dict, list]:
        position = message["position"]
        self._media.convert(
            self._clip(message),
            lambda done: send({"kind": "converting", "position": position, "done": done, "request": None}, []),
        )
        return self._on_media(message)

    def _on_annotate(self, message: Mapping, _: Any, send: Send) -> tuple[dict, list]:
        clip = self._clip(message)
        given = (message["labels"], message["note"], message["author"])
        try:
            row = self._file.annotate(clip.clip_id, *given, seen=message["seen"])
        except InputError:
            said, _ = self._annotated(clip.clip_id, send, "")  # views show what stands, not what they believed
            send(said | {"request": None}, [])
            raise
        return self._annotated(row["clip_id"], send, f"{clip.clip_id} saved")

    def _on_undo(self, message: Mapping, _: Any, send: Send) -> tuple[dict, list]:
        row = self._file.undo(message["author"])
        return self._annotated(row["clip_id"], send, f"last change of {row['clip_id']} undone", undone=True)

    def _annotated(self, clip_id: str, send: Send, text: str, **more: Any) -> tuple[dict, list]:
        if self._against == "annotations":
            if len(self._inspection) <= _SOON:  # not here: who answers a view must not wait for another comparison
                threading.Thread(target=self._compare, args=("annotations", send), daemon=True).start()
            else:
                text += "; choose 'annotations' again to compare with it"
        history = self._file.history().get(clip_id, [])
        place = self._inspection.position(clip_id) if clip_id in self._inspection else None
        said = {"kind": "annotated", "position": place, "row": standing(history), "history": history, "text": text}
        return said | more, []

    def _on_export(self, message: Mapping, *_: Any) -> tuple[dict, list[bytes]]:
        if message["format"] not in FORMATS:
            raise InputError(f"there is no export {message['format']!r}; take one of {', '.join(FORMATS)}")
        look = self._media.looks[0]
        path, rows, problems = export(
            message["format"], self._standing(), self._inspection.clips, self._file.path.parent, look.frames, look.seed
        )
        lost = f"; left out: {len(problems)}, the first: {problems[0]}" if problems else ""
        said = {"path": str(path), "name": path.name, "rows": rows, "text": f"{rows} annotations in {path}{lost}"}
        return {"kind": "exported", **said}, [path.read_bytes()]

    def _on_against(self, message: Mapping, _: Any, send: Send) -> tuple[dict, list]:
        self._compare(message["who"], send)
        return {"kind": "compared"}, []

    def _compare(self, who: str, send: Send) -> None:
        """Compare with the truth of the corpus or, where there are some, with annotations; tell all views."""
        with self._growing:
            labels: LabelSets | None = None
            if who == "annotations":
                labels = {row["clip_id"]: row["labels"] for row in self._standing() if row["labels"] is not None}
            compared = self._inspection.against(labels)
            with self._whole:
                self._inspection, self._against = compared, who
            self._broadcast_index(send)

    def _on_mark(self, message: Mapping, _: Any, send: Send) -> None:
        (self._marked.add if message["on"] else self._marked.discard)(message["position"])
        send({"kind": "marked", "positions": sorted(self._marked), "request": None}, [])

    def _on_state(self, _: Mapping, buffers: Sequence[Any], __: Any) -> None:
        self._shown = np.frombuffer(buffers[0], np.uint32)

    def _on_upload(self, message: Mapping, buffers: Sequence[Any], _: Any) -> tuple[dict, list]:
        return {"kind": "uploaded", "from": self._panel.receive(message, buffers[0])}, []

    def _on_live(self, message: Mapping, _: Any, send: Send) -> tuple[dict, list]:
        if not self._busy.acquire(blocking=False):
            raise InputError("another clip is being predicted; wait for it")
        try:
            clip, rows = self._panel.predict(
                message,
                [*self._inspection.clip_ids, *self._file.history()],  # another video's labels are not this one's
                lambda said: send({"kind": "live_progress", **said, "request": None}, []),
            )
        finally:
            self._busy.release()
        with self._growing:
            with self._whole:
                position = self._inspection.add(clip, rows)
            self._broadcast_index(send, position)
        failed = [f"{name}: {row['error']}" for name, row in rows.items() if row.get("error")]
        return {
            "kind": "added",
            "position": position,
            "text": " ".join([f"{clip.clip_id} was predicted.", *failed]),
        }, []

    def _broadcast_index(self, send: Send, keep: int | None = None) -> None:
        with self._whole:
            index, columns = self._index(keep)
        send(index | {"request": None}, columns)

    @property
    def _panel(self) -> LivePanel:
        if self._live is None:
            raise InputError("no models are at hand here; run notebook 08, or give view(..., predictors=…)")
        return self._live

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict, dict]:
        """The widget, and for where it cannot run (a saved notebook on a web page) a few examples."""
        data, metadata = super()._repr_mimebundle_(**options)
        examples = InspectorExamples(self._inspection, self._media)._repr_mimebundle_()
        return examples | {kind: each for kind, each in data.items() if kind != "text/plain"}, metadata

    def _clip(self, message: Mapping) -> Clip:
        return self._inspection.clips[message["position"]]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without an entry for its user
        return "unknown"
