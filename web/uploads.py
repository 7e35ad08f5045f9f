"""What was sent becomes what the indexer takes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from pydantic import ValidationError
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType
from werkzeug.wrappers import Request

from index.documents import Given, parse_given
from index.indexer import Upload
from web.inputs import DocumentBody, DocumentsBody
from web.problems import invalid
from web.services import services


def received(request: Request) -> Sequence[Upload | Given]:
    """The documents of a request: JSON, or files of a form. Raises an ``HTTPException``."""
    if request.mimetype == "multipart/form-data":
        return from_files(request.files.getlist("file"))
    if request.is_json:
        return from_json(request.get_data())
    raise UnsupportedMediaType(
        "Send documents as JSON (application/json), or files as 'file' parts of a form"
        " (multipart/form-data)."
    )


def from_files(files: Iterable[FileStorage]) -> list[Upload]:
    """One upload for each file of a form."""
    chosen = [file for file in files if file.filename]
    _not_too_many(len(chosen))
    if not chosen:
        raise BadRequest("No file was sent. Choose at least one; each is a part named 'file'.")
    return [Upload(_name(file.filename or ""), file.read()) for file in chosen]


def from_json(body: bytes) -> list[Given]:
    """The documents of a JSON body."""
    try:
        data = json.loads(body)
    except RecursionError:
        raise BadRequest("The body is nested too deeply.") from None
    except ValueError as error:
        raise BadRequest(f"The body is not JSON: {error}.") from None
    try:
        documents = DocumentsBody.parse(data)
        _not_too_many(len(documents))
        return [_given(document) for document in documents]
    except ValidationError as error:
        invalid(error)


def _not_too_many(count: int) -> None:
    if count > services().home.settings.max_files:
        raise RequestEntityTooLarge


def _given(document: DocumentBody) -> Given:
    # Without an id the text is the name, so that sending it twice stores it once.
    digest = hashlib.sha256(document.text.encode()).hexdigest()
    return parse_given(document.model_dump(exclude_none=True), f"text-{digest[:16]}")


def _name(filename: str) -> str:
    """The last part of a file's name: browsers may send the path on the sender's machine."""
    name = PurePosixPath(filename.replace("\\", "/")).name
    return "".join(c for c in name if c.isprintable()).strip() or "unnamed"
