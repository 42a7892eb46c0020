"""A chat model behind an address, here a small server that speaks the same protocol and fails as they do."""

import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
import traceback
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from emolab.errors import InputError, RunError
from emolab.scoring.address import KEY_VARIABLE
from emolab.scoring.endpoint import Budget, Endpoint, each_answer, read_budget
from emolab.scoring.grouping import model_grouping

HANG, DROP, DRIP = "hang", "drop", "drip"  # instead of a status: no answer, a closed connection, a byte now and then


@pytest.fixture
def server():
    """A server whose `plan` says how the next requests end (status, body, headers); `seen` is what it was sent."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            prompt = body["messages"][0]["content"]
            with lock:
                server.seen.append((self.path, self.headers.get("Authorization"), body))
                server.times.append(time.monotonic())
                status, answer, *headers = server.plan.pop(0) if server.plan else (200, None)
                status, answer = server.about.get(prompt, (status, answer))
            if status in (HANG, DRIP):
                with contextlib.suppress(OSError):
                    if status == DRIP:
                        self.send_response(200)
                        self.end_headers()
                    while not server.over.wait(0.05):
                        if status == DRIP:
                            self.wfile.write(b" ")
                return
            if status == DROP:
                self.connection.close()
                return
            usage = {"total_tokens": 10}
            text = answer or json.dumps(
                {"choices": [{"message": {"content": f"[['{prompt}'], ['b']]"}}], "usage": usage}
            )
            self.send_response(status)
            for name, value in headers[0].items() if headers else ():
                if value == "in a second":  # by this server's own clock
                    said = next(line for line in self._headers_buffer if line.startswith(b"Date:"))
                    date = parsedate_to_datetime(said.decode().partition(":")[2])
                    value = format_datetime(date + timedelta(seconds=1), usegmt=True)
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_):
            pass

    lock = threading.Lock()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.seen, server.plan, server.about, server.times, server.over = [], [], {}, [], threading.Event()
    server.address = f"http://127.0.0.1:{server.server_port}/v1"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.over.set()
    server.shutdown()
    server.server_close()


def patience(plan):
    """Seconds: few only where the server hangs, for a busy machine is no hanging server."""
    return 3 if any(step[0] in (HANG, DRIP) for step in plan) else 60


def test_answers_come_in_order(server, monkeypatch):
    monkeypatch.setenv(KEY_VARIABLE, "a key")
    prompts = [f"prompt {number}" for number in range(20)]
    assert Endpoint(server.address + "/", "judge")(prompts) == [f"[['{prompt}'], ['b']]" for prompt in prompts]
    path, key, body = server.seen[0]
    assert (path, key) == ("/v1/chat/completions", "Bearer a key")
    assert (body["model"], body["temperature"]) == ("judge", 0)


def test_an_answer_of_null_is_empty(server):
    server.plan = [(200, json.dumps({"choices": [{"message": {"content": None}}]}))]
    assert Endpoint(server.address, "judge")(["a"]) == [""]


@pytest.mark.parametrize(
    "plan",
    [
        [(503, "busy"), (429, "slower"), (200, None)],
        [(500, "broken"), (502, "<html>")],
        [(DROP, None), (200, '{"choices": []}')],
        [(200, "<html>"), (200, '{"choices": [{"message": nu')],
        [(HANG, None), (DRIP, None)],
        [(429, "", {"Retry-After": "0"})] * 6,  # it has been met: more patience
    ],
)
def test_what_may_pass_is_tried_again(server, monkeypatch, plan):
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    server.plan = list(plan)
    endpoint = Endpoint(server.address, "judge", wait=0, timeout=patience(plan))
    assert endpoint(["a"]) == ["[['a'], ['b']]"] and server.seen[0][1] is None
    assert endpoint.requests == len(server.seen) == 1 + len([step for step in plan if step != (200, None)])


@pytest.mark.parametrize("said", ["1", "in a second"])
def test_it_waits_as_long_as_the_endpoint_asks_for(server, said):
    server.plan = [(429, "slower", {"Retry-After": said})]
    assert Endpoint(server.address, "judge", wait=0)(["a"]) == ["[['a'], ['b']]"]
    assert server.times[1] - server.times[0] >= 0.9  # never too early


def test_all_wait_where_one_is_told_to(server):
    server.plan = [(429, "slower", {"Retry-After": "1"})] * 4
    assert len(Endpoint(server.address, "judge", wait=0)(list("abcdefgh"))) == 8
    assert all(moment - server.times[0] >= 0.9 for moment in server.times[4:])


@pytest.mark.parametrize(
    ("plan", "kind", "cause"),
    [
        ([(500, "broken")] * 3, RunError, "500"),
        ([(200, "<html>")] * 3, RunError, "not that of a chat model"),
        ([(200, '{"choices": []}')] * 3, RunError, "not that of a chat model"),
        ([(HANG, None)] * 3, RunError, "no whole answer within"),
        ([(429, "")] * 7, RunError, "429"),
        ([(302, "moved", {"Location": "http://127.0.0.1:9/elsewhere"})], InputError, "302"),
        ([(401, '{"error": {"message": "the key TOP-SECRET is wrong"}}')], InputError, "401 Unauthorized\\); check"),
        ([(404, '{"error": {"message": "no model TOP-SECRET\\n judge"}}')], InputError, r"no model \.\.\. judge"),
    ],
)
def test_failures_are_one_sentence_without_the_key(server, monkeypatch, plan, kind, cause):
    monkeypatch.setenv(KEY_VARIABLE, "TOP-SECRET")
    server.plan = list(plan)
    with pytest.raises(kind, match=cause) as caught:
        Endpoint(server.address, "judge", wait=0, timeout=patience(plan))(["a"])
    assert server.address in str(caught.value) and "\n" not in str(caught.value)
    assert "TOP-SECRET" not in "".join(traceback.format_exception(caught.value)) and not server.plan


def test_nobody_there_no_address_and_no_key(monkeypatch):
    with pytest.raises(RunError, match="gives no answer"):
        Endpoint("http://127.0.0.1:9/v1", "judge", wait=0)(["a"])
    with pytest.raises(InputError, match="no address"):
        Endpoint("file:///etc/passwd", "judge")
    monkeypatch.setenv(KEY_VARIABLE, "TOP\nSECRET")
    with pytest.raises(InputError, match=f"{KEY_VARIABLE} holds") as caught:
        Endpoint("http://127.0.0.1:9/v1", "judge")
    assert "SECRET" not in str(caught.value)


def test_a_refused_prompt_leaves_the_others_their_answers(server):
    server.about = {"bad": (400, '{"error": {"message": "content filter"}}')}
    answers = dict(Endpoint(server.address, "judge").each(["a", "bad", "c"]))
    assert isinstance(answers[1], InputError) and "content filter" in str(answers[1])
    assert answers[0] == "[['a'], ['b']]" and answers[2] == "[['c'], ['b']]"
    with pytest.raises(InputError, match="content filter"):
        Endpoint(server.address, "judge")(["a", "bad"])


def test_where_every_prompt_is_refused_few_are_sent(server):
    """400 is also what services say to a wrong model or setting."""
    server.plan = [(400, '{"error": {"message": "no such model"}}')] * 99
    with pytest.raises(InputError, match="no such model"):
        list(Endpoint(server.address, "judge").each([f"{n}" for n in range(50)]))
    assert 8 <= len(server.seen) <= 12


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1080", "socks://127.0.0.1:1080"])
def test_a_proxy_that_cannot_be_used_is_one_sentence(server, monkeypatch, proxy):
    monkeypatch.setenv("ALL_PROXY", proxy)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InputError, match="the proxy of ALL_PROXY.*cannot be used"):
        Endpoint(server.address, "judge")(["a"])


def test_half_a_character_is_no_error(server):
    assert Endpoint(server.address, "judge")(["a \ud83d b"]) == ["[['a ? b'], ['b']]"]


def test_a_budget_of_requests_is_kept_to_and_gone_on_with(server, tmp_path):
    truth = {str(number): [f"word {number}", "other"] for number in range(30)}
    cache, sent = tmp_path / "cache.jsonl", []
    for requests in (7, 5):
        with pytest.raises(RunError, match=f"the budget of {requests} requests is spent after {requests} requests"):
            model_grouping(truth, truth, Endpoint(server.address, "judge", Budget(requests=requests)), cache)
        sent.append(len(server.seen))
    assert sent == [7, 12]
    grouping = model_grouping(truth, truth, Endpoint(server.address, "judge"), cache)
    prompts = [body["messages"][0]["content"] for _, _, body in server.seen]
    assert len(prompts) == len(set(prompts)) == 30 and not grouping.failed  # none lost, none asked twice


def test_tries_count_and_so_do_tokens_and_minutes(server):
    server.plan = [(500, "")] * 10
    with pytest.raises(RunError, match=r"budget of 2 requests is spent .*before that: 500"):
        Endpoint(server.address, "judge", Budget(requests=2), wait=0)(["a"])
    server.plan = []
    endpoint = Endpoint(server.address, "judge", Budget(tokens=55))
    with pytest.raises(RunError, match="budget of 55 tokens"):
        endpoint([f"{n}" for n in range(50)])
    assert 60 <= endpoint.tokens <= 90  # those under way are finished
    server.plan = [(HANG, None)] * 9
    with pytest.raises(RunError, match=r"budget of 0\.01 minutes is spent after 1 requests"):
        Endpoint(server.address, "judge", Budget(minutes=0.01))(["a"])
    server.plan = [(429, "", {"Retry-After": "100"})]
    with pytest.raises(RunError, match=r"budget of 1 minutes is spent .*before that: 429"):
        Endpoint(server.address, "judge", Budget(minutes=1))(["a"])  # at once: it may not be asked in time


def test_a_budget_is_read_from_text():
    assert read_budget("requests=5, tokens=100,minutes=1.5") == Budget(5, 100, 1.5) and read_budget(None) == Budget()
    for wrong in ("5", "requests", "requests=0", "requests=1.5", "money=3", "tokens=-1"):
        with pytest.raises(InputError, match="budget"):
            read_budget(wrong)


def test_a_plain_callable_is_asked_in_parts():
    asked = []
    answers = dict(each_answer(lambda prompts: asked.append(len(prompts)) or prompts, list("abcde"), 2))
    assert asked == [2, 2, 1] and answers == dict(enumerate("abcde"))


def test_ctrl_c_ends_what_hangs_and_keeps_what_was_answered(server, tmp_path):
    """Without it the four requests under way would be waited for, as long as their time limit."""
    server.plan = [(200, None)] * 5 + [(HANG, None)] * 99
    code = f"""
from emolab.scoring.endpoint import Endpoint
from emolab.scoring.grouping import model_grouping
truth = {{str(n): [f"word {{n}}", "other"] for n in range(30)}}
model_grouping(truth, truth, Endpoint({server.address!r}, "judge", timeout=600), {str(tmp_path / "cache.jsonl")!r})
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a test run in the background ignores it
    )
    deadline = time.monotonic() + 60
    cache = tmp_path / "cache.jsonl"
    # five answered and kept, four hang
    while len(server.seen) < 9 or not cache.exists() or cache.read_bytes().count(b"\n") < 5:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert "KeyboardInterrupt" in told and process.returncode
    rows = [json.loads(line) for line in cache.read_text().split("\n") if line]
    assert len(rows) == 5
