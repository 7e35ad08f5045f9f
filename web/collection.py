"""The page of the collection: what it holds, what could not be read, adding and removing."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from web.pages import ID, pages
from web.services import add_documents, remove_document, services
from web.uploads import from_files

LISTED = 50  # documents on a page of the collection


@pages.get("/documents")
def documents() -> str:
    """See the collection, add to it, remove from it."""
    removed = request.args.get("removed", "")
    return _collection(removed=removed)


@pages.post("/documents")
def upload() -> tuple[str, int]:
    """Add files, and say what became of each."""
    outcomes = add_documents(from_files(request.files.getlist("file")))
    stored = all(outcome.stored for outcome in outcomes)
    return _collection(outcomes=outcomes), 201 if stored else 200


@pages.post(f"/documents/{ID}/remove")
def remove(id: int) -> Response:
    """Remove a document."""
    remove_document(id)
    return redirect(url_for("pages.documents", removed=id), 303)


def _collection(**values: Any) -> str:
    text = request.args.get("q", "").strip()[:500]
    page = max(request.args.get("page", 1, type=int), 1)
    page = min(page, 10**9)
    with services().home.store.snapshot() as snapshot:
        total, listed = snapshot.documents((page - 1) * LISTED, LISTED, text)
        return render_template(
            "documents.html",
            documents=listed,
            total=total,
            text=text,
            page=page,
            last_page=-(-total // LISTED),
            link=lambda page: url_for("pages.documents", q=text or None, page=page),
            failures=snapshot.failures(),
            **values,
        )
