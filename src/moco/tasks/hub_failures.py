"""Why the Hugging Face hub does not give a data set: switched off, out of reach, gated, not there, or not in the form asked for.

Invariant: an error keeps what the hub's client said in ``why``, in one line; the remedy is the one for its own cause.
"""

from __future__ import annotations

from moco.core.errors import DataError

INSTALL = 'pip install "mocolab[data]"'


def hub_errors() -> tuple[type[BaseException], ...]:
    """What the hub's clients raise for no network, no access, an unknown repository, revision, configuration or split; the
    HTTP library under them differs from version to version, and is the base of their own error."""
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError

    return (*HfHubHTTPError.__bases__, EntryNotFoundError, OSError, ValueError, RuntimeError)


def hub_failure(error: BaseException, dataset: str, *, gated: str = "", otherwise: str = "") -> DataError:
    """The DataError for ``error``. ``gated`` says what has to be accepted and where, ``otherwise`` what can be done without
    the hub."""
    from huggingface_hub import errors

    said = " ".join(str(error).split())[:200]
    where, page = "Hugging Face hub", f"https://huggingface.co/datasets/{dataset}"
    if isinstance(error, errors.OfflineModeIsEnabled):
        what, remedy = f"the hub is switched off, and '{dataset}' is on it", "unset HF_HUB_OFFLINE"
    elif isinstance(error, errors.RevisionNotFoundError):
        what, remedy = f"'{dataset}' has no such revision", f"take a commit of {page}/commits/main"
    elif gated or isinstance(error, errors.GatedRepoError):
        what, remedy = f"the hub does not give '{dataset}'", f"{gated or f'accept the terms at {page}'} and set HF_TOKEN"
    elif isinstance(error, errors.RepositoryNotFoundError):
        what, remedy = f"the hub has no data set '{dataset}', or it is private", "check the name; a private one needs HF_TOKEN"
    elif isinstance(error, ValueError | errors.EntryNotFoundError):
        what, remedy = f"'{dataset}' has not what was asked for", "check config and split"
    else:
        what, remedy = f"the hub does not give '{dataset}'", "check the network"
    return DataError(
        what, where=where, why=said or type(error).__name__, remedy=f"{remedy}, or {otherwise}" if otherwise else remedy
    )
