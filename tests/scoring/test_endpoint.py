"""A judge behind an address, here a small server that speaks the same protocol."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from emolab.errors import InputError, RunError
from emolab.scoring.endpoint import KEY_VARIABLE, endpoint_judge


@pytest.fixture
def server():
    """A server whose `plan` says how the next requests end; what it was sent stands in `seen`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                server.seen.append((self.path, self.headers.get("Authorization"), body))
                status, answer = server.plan.pop(0) if server.plan else (200, None)
            prompt = body["messages"][0]["content"]
            text = answer or json.dumps({"choices": [{"message": {"content": f"[['{prompt}'], ['b']]"}}]})
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_):
            pass

    lock = threading.Lock()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.seen, server.plan = [], []
    server.address = f"http://127.0.0.1:{server.server_port}/v1"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_answers_come_in_order(server, monkeypatch):
    monkeypatch.setenv(KEY_VARIABLE, "a key")
    prompts = [f"prompt {number}" for number in range(20)]
    assert endpoint_judge(server.address + "/", "judge")(prompts) == [f"[['{prompt}'], ['b']]" for prompt in prompts]
    path, key, body = server.seen[0]
    assert (path, key) == ("/v1/chat/completions", "Bearer a key")
    assert (body["model"], body["temperature"]) == ("judge", 0)


def test_an_answer_of_null_is_empty(server):
    server.plan = [(200, json.dumps({"choices": [{"message": {"content": None}}]}))]
    assert endpoint_judge(server.address, "judge")(["a"]) == [""]


def test_a_busy_server_is_asked_again(server, monkeypatch):
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    server.plan = [(503, "busy"), (429, "slower"), (200, None)]
    assert endpoint_judge(server.address, "judge", wait=0)(["a"]) == ["[['a'], ['b']]"]
    assert server.seen[0][1] is None


@pytest.mark.parametrize(
    ("plan", "kind", "cause"),
    [
        ([(500, "broken")] * 3, RunError, "500"),
        ([(200, "<html>")] * 3, RunError, "not that of a chat model"),
        ([(200, '{"choices": []}')] * 3, RunError, "not that of a chat model"),
        ([(302, "moved")] * 3, RunError, "302"),
        ([(401, "no key")], InputError, "401"),
    ],
)
def test_failures_are_one_sentence(server, plan, kind, cause):
    server.plan = plan
    with pytest.raises(kind, match=cause) as caught:
        endpoint_judge(server.address, "judge", wait=0)(["a"])
    assert server.address in str(caught.value) and "\n" not in str(caught.value)


def test_nobody_there_and_no_address():
    with pytest.raises(RunError, match="gives no answer"):
        endpoint_judge("http://127.0.0.1:9/v1", "judge", wait=0)(["a"])
    with pytest.raises(InputError, match="no address"):
        endpoint_judge("file:///etc/passwd", "judge")
