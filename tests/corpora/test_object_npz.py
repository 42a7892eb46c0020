"""A pickled npz is read where it is a table of labels, and nothing in it is ever called."""

import builtins
import io
import os
import pickle
import zipfile

import numpy as np
import pytest

from emolab.corpora.object_npz import read_object_npz
from emolab.errors import InputError

TABLE = {"sample_0001": {"emo": "happy", "val": 1.5}, "sample_0002": {"emo": "sad", "val": ""}}


def npz(path, payload):
    """An npz whose only array, `train_corpus`, holds `payload` where numpy puts the pickle."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": ()})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("train_corpus.npy", file.getvalue() + payload)
    return path


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_tables_as_numpy_writes_them(tmp_path, save):
    save(tmp_path / "a.npz", train_corpus=TABLE, test1_corpus={}, other=np.zeros(3))
    found = read_object_npz(tmp_path / "a.npz", ("train_corpus", "test1_corpus", "test2_corpus"))
    assert found == {"train_corpus": TABLE, "test1_corpus": {}}


def test_numpys_own_strings_and_numbers(tmp_path):
    names = np.array(["sample_0001", "样本"])
    row = {"emo": np.array(["worried"])[0], "val": np.float32(0.5), "n": np.int64(-3), "ok": np.bool_(True), "x": None}
    np.savez(tmp_path / "a.npz", train_corpus={name: row for name in names})
    (table,) = read_object_npz(tmp_path / "a.npz", ("train_corpus",)).values()
    plain = {"emo": "worried", "val": 0.5, "n": -3, "ok": True, "x": None}
    assert table == {"sample_0001": plain, "样本": plain}
    assert {type(name) for name in table} == {str} and type(table["样本"]["emo"]) is str


@pytest.mark.parametrize("protocol", [3, 4, 5])
@pytest.mark.parametrize("core", ["numpy.core.multiarray", "numpy._core.multiarray"])
def test_of_any_numpy(tmp_path, protocol, core):
    payload = pickle.dumps(np.array(TABLE, object), protocol)
    new, old = b"numpy._core.multiarray", b"numpy.core.multiarray"
    if protocol > 3:  # a string with its length before it, in a frame with its length
        new, old = (b"\x8c" + bytes([len(name)]) + name for name in (new, old))
        payload = payload[:2] + payload[11:]
    payload = payload.replace(new, old) if core == "numpy.core.multiarray" else payload
    assert core.encode() in payload
    assert read_object_npz(npz(tmp_path / "a.npz", payload), ("train_corpus",)) == {"train_corpus": TABLE}


class Calls:
    def __init__(self, function, *arguments):
        self.reduced = (function, arguments)

    def __reduce__(self):
        return self.reduced


@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("function", [os.system, builtins.eval])
def test_a_malicious_pickle_is_refused_and_runs_nothing(tmp_path, function, protocol, hidden):
    trace = tmp_path / "trace"
    evil = Calls(function, f"touch {trace}" if function is os.system else f"open({str(trace)!r}, 'w').close()")
    loaded = {**TABLE, "sample_0003": {"emo": evil}} if hidden else evil
    path = npz(tmp_path / "a.npz", pickle.dumps(loaded, protocol))
    with pytest.raises(InputError, match=f"a.npz: .*asks to call .*{function.__name__}, which was refused") as error:
        read_object_npz(path, ("train_corpus",))
    assert "\n" not in str(error.value) and not trace.exists()
    pickle.loads(pickle.dumps(loaded, protocol))  # it is malicious indeed
    assert trace.exists()


@pytest.mark.parametrize("function", [np.fromfile, np.load, getattr, __import__])
def test_only_arrays_and_scalars_are_known(tmp_path, function):
    path = npz(tmp_path / "a.npz", pickle.dumps(Calls(function, "x")))
    with pytest.raises(InputError, match=f"asks to call .*{function.__name__}, which was refused"):
        read_object_npz(path, ("train_corpus",))


def test_numpy_itself_is_not_called(tmp_path):
    """numpy's own __setstate__ would take these bytes for the addresses of objects."""
    flags = pickle.dumps((3, "|", None, None, None, -1, -1, 0), 2)[2:-1]  # of a dtype of objects that denies it
    kind = b"cnumpy\ndtype\n(X\x02\x00\x00\x00O8\x89\x88tR" + flags + b"b"
    start = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85C\x01btR"
    payload = b"\x80\x03" + start + b"(K\x01)" + kind + b"\x89C\x08AAAAAAAAtb."
    with pytest.raises(InputError, match="ValueError: too many values"):  # the bytes, still only bytes
        read_object_npz(npz(tmp_path / "a.npz", payload), ("train_corpus",))


@pytest.mark.parametrize("state", [{"__init__": 1}, (None, {"__init__": 1, "__setstate__": 1})])
def test_the_stand_ins_cannot_be_changed_by_a_file(tmp_path, state):
    payload = b"\x80\x02cnumpy\nndarray\n" + pickle.dumps(state, 2)[2:-1] + b"b."
    with pytest.raises(InputError, match="TypeError"):
        read_object_npz(npz(tmp_path / "a.npz", payload), ("train_corpus",))
    np.savez(tmp_path / "b.npz", train_corpus=TABLE)
    assert read_object_npz(tmp_path / "b.npz", ("train_corpus",)) == {"train_corpus": TABLE}


@pytest.mark.parametrize("value", [["happy"], {"a": {"emo": ["x"]}}, {"a": "happy"}, np.arange(3), np.array("happy")])
def test_other_content_is_refused(tmp_path, value):
    np.savez(tmp_path / "a.npz", train_corpus=value)
    with pytest.raises(InputError, match="a.npz: no table of labels") as error:
        read_object_npz(tmp_path / "a.npz", ("train_corpus",))
    assert "\n" not in str(error.value)


def test_damage_is_one_sentence(tmp_path):
    whole = npz(tmp_path / "a.npz", pickle.dumps(np.array(TABLE, object), 4)).read_bytes()
    broken = {
        "cut": whole[: len(whole) // 2],
        "text": b"no archive",
        "empty": b"",
        "stops": npz(tmp_path / "b.npz", pickle.dumps(np.array(TABLE, object), 4)[:-30]).read_bytes(),
    }
    for name, content in broken.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match="get it again") as error:
            read_object_npz(tmp_path / name, ("train_corpus",))
        assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="nowhere.npz: no table of labels .FileNotFoundError"):
        read_object_npz(tmp_path / "nowhere.npz", ("train_corpus",))
