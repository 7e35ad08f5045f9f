"""The page of the collection: what it holds, what could not be read, adding and removing."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from index.stored import ORDERS as KNOWN
from web.failures import Group, grouped, kind_of
from web.pages import ID, pages
from web.services import (
    add_documents,
    removal_of,
    remove_document,
    restore_document,
    services,
)
from web.uploads import from_files

LISTED = 50  # documents on a page of the collection
FAILED = 5  # files of a kind that are listed on that page
FAILURES = 100  # files on a page of those that could not be read
LONGEST = 500  # characters of what is looked for

ORDERS = {
    "changed": "Newest change first",
    "changed-asc": "Oldest change first",
    "title": "By title, A to Z",
    "title-desc": "By title, Z to A",
    "date": "Newest date first",
    "date-asc": "Oldest date first",
}


@pages.get("/documents")
def documents() -> str:
    """See the collection, add to it, remove from it."""
    return _collection()


@pages.post("/documents")
def upload() -> tuple[str, int]:
    """Add files, and say what became of each."""
    outcomes = add_documents(from_files(request.files.getlist("file")))
    stored = all(outcome.stored for outcome in outcomes)
    return _collection(outcomes=outcomes), 201 if stored else 200


@pages.post(f"/documents/{ID}/remove")
def remove(id: int) -> Response:
    """Remove a document, and offer to bring it back."""
    with services().home.store.snapshot() as snapshot:
        found = snapshot.document(id)
    remove_document(id)
    gone = {"removed": found.uri, "of": found.source} if found else {}
    return redirect(url_for("pages.documents", **{**_chosen(), **gone}), 303)


@pages.post("/documents/restore")
def restore() -> Response:
    """Bring back a document that was removed."""
    outcome = restore_document(request.form.get("of", ""), request.form.get("uri", ""))
    return redirect(url_for("pages.documents", **_chosen(), back=outcome.document_id), 303)


@pages.get("/documents/unread/<kind>")
def unread(kind: str) -> str:
    """See all files that could not be read for one reason."""
    group = next((group for group in _failed() if group.kind.key == kind), None)
    if group is None:
        raise NotFound("No file failed in that way, or no longer.")
    page = _page()
    return render_template(
        "unread.html",
        group=group,
        listed=group.failures[(page - 1) * FAILURES : page * FAILURES],
        page=page,
        last_page=-(-len(group.failures) // FAILURES),
        link=lambda page: url_for("pages.unread", kind=kind, page=page),
    )


def _failed() -> list[Group]:
    with services().home.store.snapshot() as snapshot:
        return grouped(snapshot.failures())


def _page() -> int:
    return min(max(request.args.get("page", 1, type=int), 1), 10**9)


def _chosen() -> dict[str, Any]:
    """What is looked for, as it stands in the address."""
    chosen = {name: request.args.get(name, "").strip() for name in ("q", "source", "type", "order")}
    chosen["q"] = chosen["q"][:LONGEST]
    if chosen["order"] not in KNOWN or chosen["order"] == "changed":
        chosen["order"] = ""
    return {name: value for name, value in chosen.items() if value}


def _removed() -> dict[str, Any]:
    """What was just removed, where the address tells of it and it was not brought back."""
    uri, source = request.args.get("removed", ""), request.args.get("of", "")
    with services().home.store.snapshot() as snapshot:
        if not uri or snapshot.removed_from(source, uri) is None:
            return {}
    return {"removed": uri, "of": source, "undo": removal_of(source, uri) is not None}


def _collection(**values: Any) -> str:
    chosen = _chosen()
    order = chosen.get("order", "changed")
    narrowed = {name: chosen.get(name, "") for name in ("source", "type")}
    page = _page()
    with services().home.store.snapshot() as snapshot:
        total, listed = snapshot.documents(
            (page - 1) * LISTED, LISTED, chosen.get("q", ""), order=order, **narrowed
        )
        back = snapshot.document(request.args.get("back", 0, type=int) % 2**63)
        return render_template(
            "documents.html",
            documents=listed,
            standings=snapshot.standings([document.id for document in listed]),
            total=total,
            chosen=chosen,
            order=order,
            orders=ORDERS,
            types=snapshot.types(),
            sources=[source for source in snapshot.sources() if source.documents],
            page=page,
            last_page=-(-total // LISTED),
            link=lambda page: url_for("pages.documents", **chosen, page=page),
            sort=lambda order: url_for("pages.documents", **{**chosen, "order": order}),
            groups=grouped(snapshot.failures()),
            shown=FAILED,
            limit=services().home.settings.max_upload,
            back=back,
            advice=lambda reason: kind_of(reason).advice,
            **_removed(),
            **values,
        )
