"""Hashes of files, folders and notebooks."""

import hashlib
import json
import os

import nbformat

from emolab.workbench.hashing import Hashes, notebook_hash, source_hashes


def test_a_file_hashes_to_its_sha256(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"abc")
    assert Hashes().of(path) == hashlib.sha256(b"abc").hexdigest()


def test_a_folder_changes_with_names_and_contents(tmp_path):
    folder = tmp_path / "weights"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "a").write_text("1")
    first = Hashes().of(folder)
    (folder / ".lock").write_text("hidden files do not count")
    assert Hashes().of(folder) == first
    (folder / "sub" / "a").write_text("2")
    second = Hashes().of(folder)
    (folder / "sub" / "a").rename(folder / "sub" / "b")
    assert len({first, second, Hashes().of(folder)}) == 3


def test_hashes_are_remembered_by_path_size_and_time(tmp_path):
    path, store = tmp_path / "a", tmp_path / "hashes.json"
    path.write_text("one")
    hashes = Hashes(store)
    first = hashes.of(path)
    hashes.save()
    store.write_text(store.read_text().replace(first, "remembered"))
    assert Hashes(store).of(path) == "remembered"  # the same size and times: not read again
    stamp = path.stat()
    path.write_text("two")
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))  # the clock was set back, or a copy keeps times
    assert Hashes(store).of(path) == hashlib.sha256(b"two").hexdigest()
    other = tmp_path / "b"
    other.write_text("b")
    later = Hashes(store)
    later.of(other)
    hashes.of(path)
    hashes.save()
    later.save()
    assert set(json.loads(store.read_text())) == {str(path), str(other)}  # two processes, one store
    path.unlink()
    other.unlink()
    hashes.save()
    assert json.loads(store.read_text()) == {}


def test_a_broken_store_is_only_a_cache(tmp_path):
    (tmp_path / "hashes.json").write_text("{")
    assert Hashes(tmp_path / "hashes.json").of(tmp_path / "hashes.json")


def test_source_covers_code_and_small_data_of_the_package():
    names = source_hashes()
    assert "workbench/hashing.py" in names and "errors.py" in names
    assert not [name for name in names if "__pycache__" in name or name.endswith(".safetensors")]


def test_a_notebook_is_its_sources_and_tags(tmp_path):
    path, v4 = tmp_path / "n.ipynb", nbformat.v4

    def written(source="1", tags=(), outputs=()):
        cell = v4.new_code_cell(source, metadata={"tags": list(tags)}, outputs=list(outputs))
        nbformat.write(v4.new_notebook(cells=[cell]), path)
        return notebook_hash(path)

    same = written()
    assert written(outputs=[v4.new_output("stream", text="x")]) == same
    assert len({same, written("2"), written(tags=["parameters"])}) == 3
