"""Failures that a person can act on. The message says what happened, to what, and what to do."""

from __future__ import annotations


class KhazriError(Exception):
    """Something a person can mend; its message is shown as it stands, never a traceback."""


class Unreadable(KhazriError):
    """A file that gives no text: empty, damaged, encrypted, or of an unsupported kind.

    The message is the reason alone (``encrypted: save it without a password``); the caller
    adds the name of the file.
    """
