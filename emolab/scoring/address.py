"""The address of a chat model that a user names: a place, and nothing that must stay secret."""

from urllib.parse import urlsplit

from emolab.errors import InputError

KEY_VARIABLE = "EMOLAB_API_KEY"


def check_address(address: str) -> None:
    """Raise InputError for what is no http(s)://host/v1, and for an address with more than a place in it: a password or
    key would stand in run.json, notebooks and messages (so it is not shown here either)."""
    if any(sign in address for sign in "@?#"):
        raise InputError(
            "the address of a chat model holds no key (it has @, ? or # in it); give http(s)://host/v1 and the key in "
            f"the environment variable {KEY_VARIABLE}."
        )
    try:
        parts = urlsplit(address)
        right = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        right = False
    if not right:
        raise InputError(f"{address}: is no address of a chat model; expected http(s)://host/v1")
