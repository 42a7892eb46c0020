"""A chat model behind an OpenAI-compatible address (OpenAI, vLLM, Ollama and others), asked within a budget."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from emolab.errors import EmolabError, InputError, RunError
from emolab.scoring.address import KEY_VARIABLE, check_address

if TYPE_CHECKING:
    import anyio
    import httpx

Ask = Callable[[list[str]], list[str]]  # prompts to answers, in order
_AT_ONCE = 4
_TRIES = 7  # that is more than a minute of patience: rate limits are often counted by the minute
_FIRST_TRIES = 3  # of an address that has never answered
_LONGEST_WAIT = 60.0  # seconds, of our own
_LONGEST_ASKED = 600.0  # seconds, where the endpoint says how long
_REFUSED = 8  # prompts that are refused before any is answered: then it is not the prompts
_OF_THE_PROMPT = (400, 413, 422)  # refusals that may be about one prompt: its content, its length


@dataclass
class Budget:
    """What an endpoint may be asked for in one stage; None is without limit. Checked before each request: those that
    are under way are finished."""

    requests: int | None = None  # sent, repeated ones included
    tokens: int | None = None  # read and written, where the endpoint says how many
    minutes: float | None = None  # since the first request; what runs then is broken off

    def __post_init__(self) -> None:
        if any(value is not None and value <= 0 for value in (self.requests, self.tokens, self.minutes)):
            raise InputError("budget: requests, tokens and minutes are numbers above 0, or left out.")


def read_budget(text: str | None) -> Budget:
    """The budget that `requests=500,tokens=200000,minutes=30` names (any of the three). InputError for another text."""
    kinds = {field.name: float if field.name == "minutes" else int for field in fields(Budget)}
    try:
        pairs = [part.split("=") for part in (text or "").split(",") if part.strip()]
        return Budget(**{name.strip(): kinds[name.strip()](value) for name, value in pairs})
    except (ValueError, KeyError):
        raise InputError(f"--budget {text}: expected requests=N,tokens=N,minutes=N, or some of them") from None


class RefusedError(InputError):
    """The endpoint refuses one prompt; it may answer others."""


class Endpoint:
    """`endpoint(prompts) -> answers` of the chat model `model` at `address` (`https://host/v1`), at temperature 0.

    A key, where one is needed, is read from the environment variable EMOLAB_API_KEY and is sent to that address only.
    What may pass (429, 5xx, no connection, no whole answer within `timeout` seconds, an answer that is none) is tried
    again: after as long as the endpoint asks for (Retry-After), else after `wait` seconds, doubled each time and drawn
    at random. InputError for another kind of address or a refused request (RefusedError where it may be the prompt's
    fault), RunError where the address gives no answer or the budget is spent.
    """

    def __init__(
        self, address: str, model: str, budget: Budget | None = None, *, timeout: float = 120, wait: float = 2
    ):
        check_address(address)
        self.address, self.model, self.budget = address.rstrip("/"), model, budget or Budget()
        self.requests = self.tokens = 0  # so far
        self._timeout, self._wait, self._key = timeout, wait, _key()
        self._began: float | None = None
        self._resume = 0.0  # when the endpoint wants to be asked again, by all at once
        self._met = self._answered = False
        self._refused = 0

    def __call__(self, prompts: Sequence[str]) -> list[str]:
        answers = dict(self.each(prompts))
        refused = [answer for answer in answers.values() if isinstance(answer, RefusedError)]
        if refused:
            raise refused[0]
        return [answers[position] for position in range(len(prompts))]

    def each(self, prompts: Sequence[str]) -> Iterator[tuple[int, str | RefusedError]]:
        """(position, answer, or why it is refused) of each prompt, as soon as it is there, so that nothing that was
        paid for is lost. Where it ends early (an error, Ctrl-C, `close`), requests under way end as well."""
        from anyio.from_thread import start_blocking_portal

        done: SimpleQueue[tuple[int, str | RefusedError] | None] = SimpleQueue()
        with start_blocking_portal() as portal:  # an event loop beside this thread, which may have its own (Jupyter)
            whole = portal.start_task_soon(self._ask_all, prompts, done.put)
            whole.add_done_callback(lambda _: done.put(None))
            while (item := done.get()) is not None:
                yield item
            whole.result()

    async def _ask_all(self, prompts: Sequence[str], give: Callable[[tuple], None]) -> None:
        import anyio
        import httpx

        left, round_ = iter(enumerate(prompts)), _Round(anyio.Event())

        async def work() -> None:
            try:
                for position, prompt in left:
                    answer = await self._answer(client, prompt, round_)
                    give((position, answer))
                    self._refused += isinstance(answer, RefusedError)
                    if self._refused >= _REFUSED and not self._answered:
                        raise answer
            except EmolabError as error:
                round_.fail(error)

        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        # a redirect would carry the key to another address; the time limit is that of the whole request, not of a read
        try:
            made = httpx.AsyncClient(headers=headers, timeout=None, follow_redirects=False)
        except (ImportError, ValueError) as error:  # a proxy of the environment of which it can make nothing
            raise InputError(
                f"{self.address}: the proxy of ALL_PROXY, HTTP_PROXY or HTTPS_PROXY cannot be used "
                f"({' '.join(str(error).split())[:150]}); unset it, or pip install 'httpx[socks]'"
            ) from None
        async with made as client:
            async with anyio.create_task_group() as workers:
                for _ in range(min(_AT_ONCE, len(prompts))):
                    workers.start_soon(work)
        if round_.failure:
            raise round_.failure

    async def _answer(self, client: httpx.AsyncClient, prompt: str, round_: _Round) -> str | RefusedError:
        import anyio
        import httpx

        prompt = prompt.encode("utf-8", "replace").decode()  # rows of JSON may hold half a character
        body = {"model": self.model, "messages": [{"role": "user", "content": prompt}], "temperature": 0}
        tried, pause, cause = 0, 0.0, ""
        while tried < (_TRIES if self._met else _FIRST_TRIES):
            await self._turn(pause, cause, round_)
            tried += 1
            self.requests += 1
            pause = random.uniform(0.5, 1) * min(self._wait * 2 ** (tried - 1), _LONGEST_WAIT)
            limit = min(self._timeout, self._seconds_left())
            try:
                with anyio.fail_after(limit):
                    response = await client.post(f"{self.address}/chat/completions", json=body)
            except TimeoutError:
                cause = f"no whole answer within {limit:.0f} seconds"
                continue
            except httpx.HTTPError as error:
                cause = str(error) or type(error).__name__
                continue
            status = response.status_code
            cause = f"{status} {httpx.codes.get_reason_phrase(status)}"  # the endpoint's own phrase may repeat the key
            self._met |= status in (429, 503)
            if status < 300:
                try:
                    return self._read(response.json())
                except (ValueError, LookupError, TypeError):
                    cause = "its answer is not that of a chat model"
            elif status < 500 and status not in (408, 409, 425, 429):
                kind = RefusedError if status in _OF_THE_PROMPT else InputError
                refusal = kind(
                    f"{self.address}: refuses the request ({cause}{self._why(response)}); check model and key"
                )
                if kind is InputError:
                    raise refusal
                return refusal
            asked = _asked_to_wait(response.headers)
            if asked is not None:
                self._resume = max(self._resume, time.monotonic() + asked)
        raise RunError(f"{self.address}: gives no answer ({cause}); what was answered before is kept where there is "
                       "a cache, run again to go on")  # fmt: skip

    def _read(self, answer: Mapping[str, Any]) -> str:
        text = str(answer["choices"][0]["message"]["content"] or "")  # null: it refused
        usage = answer.get("usage")
        used = usage.get("total_tokens") if isinstance(usage, dict) else None
        self.tokens += used if isinstance(used, int) and used > 0 else 0
        self._met = self._answered = True
        return text

    def _why(self, response: httpx.Response) -> str:
        """What the endpoint says is wrong, without the key; nothing where the key itself is refused."""
        try:
            said = "" if response.status_code in (401, 403) else str(response.json()["error"]["message"])
        except (ValueError, LookupError, TypeError):
            said = ""
        said = " ".join((said.replace(self._key, "...") if self._key else said).split())[:200]
        return f": {said}" if said else ""

    async def _turn(self, pause: float, cause: str, round_: _Round) -> None:
        """Wait until the next request may be sent. RunError where the budget does not allow for it."""
        import anyio

        self._began = self._began or time.monotonic()
        until = time.monotonic() + pause
        while not round_.failure:
            spent = self._spent()
            rest = max(until, self._resume) - time.monotonic()
            if spent is None and rest > self._seconds_left():
                spent = f"{self.budget.minutes:g} minutes"
            if spent:
                after = f" (before that: {cause})" if cause else ""
                raise RunError(
                    f"{self.address}: the budget of {spent} is spent after {self.requests} requests and {self.tokens} "
                    f"tokens{after}; what was answered is kept where there is a cache, run again to go on"
                )
            if rest <= 0:
                return
            with anyio.move_on_after(rest):
                await round_.over.wait()
        raise round_.failure

    def _spent(self) -> str | None:
        if self.budget.requests is not None and self.requests >= self.budget.requests:
            return f"{self.budget.requests} requests"
        if self.budget.tokens is not None and self.tokens >= self.budget.tokens:
            return f"{self.budget.tokens} tokens"
        return f"{self.budget.minutes:g} minutes" if self._seconds_left() <= 0 else None

    def _seconds_left(self) -> float:
        if self.budget.minutes is None or self._began is None:
            return float("inf")
        return self._began + 60 * self.budget.minutes - time.monotonic()


class _Round:
    """What the workers of one round share: why it ends early, and the event that wakes those who wait."""

    def __init__(self, over: anyio.Event):
        self.over, self.failure = over, None

    def fail(self, error: EmolabError) -> None:
        self.failure = self.failure or error
        self.over.set()


def each_answer(ask: Ask, prompts: Sequence[str], at_once: int = 1) -> Iterator[tuple[int, str | InputError]]:
    """(position, answer, or the InputError that refused it), as soon as it is there. An Endpoint decides itself how
    many it asks for at a time; another `ask` is given `at_once` prompts at a time."""
    if isinstance(ask, Endpoint):
        yield from ask.each(prompts)
        return
    for start in range(0, len(prompts), at_once):
        part = list(prompts[start : start + at_once])
        try:
            answers: Sequence[str | InputError] = ask(part)
        except InputError as error:
            answers = [error] * len(part)
        yield from ((start + number, answer) for number, (_, answer) in enumerate(zip(part, answers, strict=True)))


def _key() -> str:
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if not (key.isascii() and key.isprintable()):  # a library's error on such a header would show it
        raise InputError(f"{KEY_VARIABLE} holds a character that no key has; copy it again")
    return key


def _asked_to_wait(headers: Mapping[str, str]) -> float | None:
    """Seconds of a Retry-After, given in seconds or as a date (then by the endpoint's own clock where it tells it)."""
    said = headers.get("retry-after", "").strip()
    try:
        if said.replace(".", "", 1).isdecimal():
            return min(float(said), _LONGEST_ASKED)
        then = parsedate_to_datetime(said)
        now = parsedate_to_datetime(headers["date"]) if headers.get("date") else datetime.now(UTC)
        return min(max((then - now).total_seconds(), 0.0), _LONGEST_ASKED)
    except (TypeError, ValueError):
        return None
