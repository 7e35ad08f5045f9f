"""The JSON interface, ``/api/v1``. Each route is declared with what it takes and replies."""

from __future__ import annotations

from itertools import chain, islice
from typing import Any, cast

from flask import Response, current_app, jsonify, request, url_for
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from flask_openapi3.openapi import OpenAPI
from flask_openapi3.utils import parse_body

from index.jobs import Job
from search.anchors import anchor
from search.suggestions import suggestions
from web.export import MEDIA_TYPES, lines
from web.schemas import (
    AnswerQuery,
    AnswerReply,
    BlockValue,
    ById,
    CitationQuery,
    CitationReply,
    DocumentReply,
    DocumentRow,
    DocumentsBody,
    DocumentsQuery,
    DocumentsReply,
    ExportQuery,
    HealthReply,
    JobReply,
    JobsQuery,
    JobsReply,
    JobValue,
    RemovalReply,
    Reply,
    SearchQuery,
    SearchReply,
    SuggestQuery,
    SuggestReply,
    UploadReply,
)
from web.services import (
    add_documents,
    cancel_job,
    find_job,
    generation,
    no_document,
    remove_document,
    services,
    start_reindexing,
    took_ms,
)
from web.uploads import received

PREFIX = "/api/v1"
_ID = "<int(max=9223372036854775807):id>"  # what SQLite can count to

_PROBLEM = {
    "description": "Why it failed, in words (RFC 9457)",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_QUESTIONS, _DOCUMENTS = Tag(name="questions"), Tag(name="documents")
_JOBS, _SERVICE = Tag(name="jobs"), Tag(name="service")
_PROBLEMS: dict[str | int, Any] = {400: _PROBLEM, 500: _PROBLEM}
_FOUND: dict[str | int, Any] = {404: _PROBLEM}
_ASKED: dict[str | int, Any] = {414: _PROBLEM}
_GUARDED: dict[str | int, Any] = {403: _PROBLEM}

api = APIBlueprint("api", __name__, url_prefix=PREFIX, abp_responses=_PROBLEMS)


def register(app: OpenAPI) -> None:
    """Add the JSON interface to ``app``."""
    app.get("/healthz", tags=[_SERVICE], responses={200: HealthReply, **_PROBLEMS})(health)
    app.register_api(api)


def health() -> Response:
    """The service is alive."""
    return _json(HealthReply(generation=generation(), took_ms=took_ms()))


@api.get("/openapi.json", doc_ui=False)
def description() -> Response:
    """This interface, in OpenAPI 3.1."""
    return jsonify(cast(OpenAPI, current_app).api_doc)


@api.get("/search", tags=[_QUESTIONS], responses={200: SearchReply, **_ASKED})
def search(query: SearchQuery) -> Response:
    """Find passages."""
    found = services().engine.search(
        query.q,
        limit=query.limit,
        offset=query.offset,
        mode=query.mode,
        filter=query.filter,
        order=query.order,
        read=query.read,
    )
    return _json(SearchReply.of(found))


@api.get("/answer", tags=[_QUESTIONS], responses={200: AnswerReply, **_ASKED})
def answer(query: AnswerQuery) -> Response:
    """Answer a question with verified quotes, or say that nothing fits."""
    return _json(
        AnswerReply.of(services().engine.answer(query.q, filter=query.filter, limit=query.limit))
    )


@api.get("/suggest", tags=[_QUESTIONS], responses={200: SuggestReply})
def suggest(query: SuggestQuery) -> Response:
    """Go on from the beginning of a question, with what the collection holds."""
    with services().home.store.snapshot() as snapshot:
        found = suggestions(snapshot, query.q)
        return _json(SuggestReply.of(found, snapshot.generation, took_ms()))


@api.get("/citation", tags=[_QUESTIONS], responses={200: CitationReply, **_FOUND})
def citation(query: CitationQuery) -> Response:
    """Find a quote again, though its document changed, or learn that it is gone and since when."""
    with services().home.store.snapshot() as snapshot:
        found = snapshot.document(query.document)
        if found is None and not snapshot.had(query.document):
            raise no_document(query.document)
        text = snapshot.text(found.id)[0] if found else ""
        text_hash = found.text_hash if found else None
        place = anchor(text, text_hash or "", query.quoted)
        return _json(
            CitationReply(
                state=place.state,
                start=place.start,
                end=place.end,
                quote=text[place.start : place.end] if place.end else None,
                text_hash=text_hash,
                changed=snapshot.changed(query.document),
                removed=None if found else snapshot.removed(query.uri),
                generation=snapshot.generation,
                took_ms=took_ms(),
            )
        )


_EXPORT = {
    "description": "All that matches: a result a line, or a table for spreadsheets",
    "content": {
        MEDIA_TYPES["jsonl"]: {"schema": {"$ref": "#/components/schemas/ResultValue"}},
        MEDIA_TYPES["csv"]: {"schema": {"type": "string"}},
    },
}


@api.get("/export", tags=[_QUESTIONS], responses={200: _EXPORT, **_ASKED})
def export(query: ExportQuery) -> Response:
    """Every passage that matches."""
    results = services().engine.export(query.q, filter=query.filter)
    # The first result is found before the reply begins, so that a failure can still be told.
    results = chain(list(islice(results, 1)), results)
    name = f"khazri-export.{query.format}"
    return Response(
        lines(results, query.format),
        content_type=f"{MEDIA_TYPES[query.format]}; charset=utf-8",
        headers={"Content-Disposition": f"attachment; filename={name}"},
    )


@api.get("/documents", tags=[_DOCUMENTS], responses={200: DocumentsReply})
def documents(query: DocumentsQuery) -> Response:
    """List the collection, newest change first."""
    with services().home.store.snapshot() as snapshot:
        total, page = snapshot.documents(query.offset, query.limit, query.q)
        return _json(
            DocumentsReply(
                total=total,
                limit=query.limit,
                offset=query.offset,
                documents=tuple(map(DocumentRow.of, page)),
                generation=snapshot.generation,
                took_ms=took_ms(),
            )
        )


@api.get(f"/documents/{_ID}", tags=[_DOCUMENTS], responses={200: DocumentReply, **_FOUND})
def document(path: ById) -> Response:
    """Read one document."""
    with services().home.store.snapshot() as snapshot:
        found = snapshot.document(path.id)
        if found is None:
            raise no_document(path.id)
        text, blocks = snapshot.text(path.id)
        return _json(
            DocumentReply(
                **DocumentRow.of(found).model_dump(),
                text=text,
                blocks=tuple(map(BlockValue.of, blocks)),
                generation=snapshot.generation,
                took_ms=took_ms(),
            )
        )


_JSON_BODY, _JSON_SCHEMAS = parse_body(DocumentsBody)
api.components_schemas.update(_JSON_SCHEMAS)
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            **_JSON_BODY,
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "array", "items": {"type": "string", "format": "binary"}}
                    },
                }
            },
        },
    }
}
_UPLOADED = {200: UploadReply, 201: UploadReply, 413: _PROBLEM, 415: _PROBLEM, **_GUARDED}


@api.post("/documents", tags=[_DOCUMENTS], responses=_UPLOADED, openapi_extensions=_BODY)
def upload() -> Response:
    """Add documents: files, or text as JSON.

    201 when all of them are stored and searchable; 200 when some could not be read, and why.
    """
    outcomes = add_documents(received(request))
    reply = UploadReply.of(outcomes, generation(), took_ms())
    return _json(reply, 201 if all(outcome.stored for outcome in outcomes) else 200)


@api.delete(
    f"/documents/{_ID}", tags=[_DOCUMENTS], responses={200: RemovalReply, **_FOUND, **_GUARDED}
)
def remove(path: ById) -> Response:
    """Remove a document. Its file stays where it is, and is not read again until it changes."""
    return _json(RemovalReply(generation=remove_document(path.id), took_ms=took_ms()))


@api.post("/reindex", tags=[_JOBS], responses={202: JobReply, **_GUARDED})
def reindex() -> Response:
    """Read the known folders again, in the background."""
    return _job(start_reindexing(), 202)


@api.get("/jobs", tags=[_JOBS], responses={200: JobsReply})
def jobs(query: JobsQuery) -> Response:
    """List background work, newest first."""
    listed = tuple(map(JobValue.of, services().home.jobs.list(query.limit)))
    return _json(JobsReply(jobs=listed, generation=generation(), took_ms=took_ms()))


@api.get(f"/jobs/{_ID}", tags=[_JOBS], responses={200: JobReply, **_FOUND})
def job(path: ById) -> Response:
    """Follow one job."""
    return _job(find_job(path.id))


@api.post(f"/jobs/{_ID}/cancel", tags=[_JOBS], responses={202: JobReply, **_FOUND, **_GUARDED})
def cancel(path: ById) -> Response:
    """Ask a job to stop. What it has stored so far stays."""
    return _job(cancel_job(path.id), 202)


def _job(job: Job, status: int = 200) -> Response:
    reply = JobReply(**JobValue.of(job).model_dump(), generation=generation(), took_ms=took_ms())
    response = _json(reply, status)
    if status == 202:
        response.headers["Location"] = url_for("api.job", id=job.id)
    return response


def _json(reply: Reply, status: int = 200) -> Response:
    return Response(reply.model_dump_json(), status, mimetype="application/json")
