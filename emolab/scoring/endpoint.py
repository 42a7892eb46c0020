"""A judge behind an OpenAI-compatible address (OpenAI, vLLM, Ollama and others), asked for groupings."""

import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from emolab.errors import InputError, RunError

KEY_VARIABLE = "EMOLAB_API_KEY"
_AT_ONCE = 4
_TRIES = 3


def endpoint_judge(address: str, model: str, *, timeout: float = 120, wait: float = 2) -> Callable:
    """`ask(prompts) -> answers` of a chat model at `address` (`https://host/v1`), at temperature 0.

    A key, where one is needed, is read from the environment variable EMOLAB_API_KEY and is sent to that address only.
    A request is tried three times, `wait` seconds apart and longer each time. InputError for another kind of address or
    a refused request (4xx), RunError where the address does not answer.
    """
    if not address.startswith(("http://", "https://")):
        raise InputError(f"{address}: is no address of a chat model; expected http(s)://host/v1")
    url = address.rstrip("/") + "/chat/completions"
    headers = {"Content-Type": "application/json"}
    if key := os.environ.get(KEY_VARIABLE):
        headers["Authorization"] = f"Bearer {key}"

    def answer(prompt: str) -> str:
        body = {"model": model, "messages": [{"role": "user", "content": prompt}], "temperature": 0}
        request = urllib.request.Request(url, json.dumps(body).encode(), headers)
        for attempt in range(1, _TRIES + 1):
            try:
                with _OPENER.open(request, timeout=timeout) as response:
                    return str(json.load(response)["choices"][0]["message"]["content"] or "")  # null: it refused
            except urllib.error.HTTPError as error:
                if 400 <= error.code < 500 and error.code not in (408, 429):
                    raise InputError(
                        f"{address}: refuses the request ({error.code} {error.reason}); check model and key"
                    ) from error
                cause = f"{error.code} {error.reason}"
            except (OSError, http.client.HTTPException) as error:
                cause = str(getattr(error, "reason", error))
            except (ValueError, LookupError, TypeError):
                cause = "its answer is not that of a chat model"
            if attempt < _TRIES:
                time.sleep(wait * attempt)
        raise RunError(f"{address}: gives no answer ({cause}); what was answered before is in the cache")

    def ask(prompts: list[str]) -> list[str]:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(answer, prompts))

    return ask


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the key to another address."""

    def redirect_request(self, *_: object) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)
