"""The JSON interface, ``/api/v1``. Each route is declared with what it takes and replies."""

from __future__ import annotations

import json
from itertools import chain, islice

from flask import Response, request, url_for
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from flask_openapi3.openapi import OpenAPI
from flask_openapi3.utils import parse_body

from index.jobs import Job
from search.anchors import anchor
from search.suggestions import suggestions
from web.caching import keep, unless_kept
from web.contract import document as contract
from web.contract import named, replies
from web.export import MEDIA_TYPES, lines
from web.health import health, ready
from web.inputs import (
    AnswerQuery,
    ById,
    CitationQuery,
    DocumentsBody,
    DocumentsQuery,
    ExportQuery,
    JobsQuery,
    SearchQuery,
    SuggestQuery,
)
from web.replies import (
    AnswerReply,
    BlockValue,
    CitationReply,
    DocumentReply,
    DocumentRow,
    DocumentsReply,
    HealthReply,
    JobReply,
    JobsReply,
    JobValue,
    RemovalReply,
    Reply,
    SearchReply,
    SuggestReply,
    UploadReply,
)
from web.services import (
    add_documents,
    answer_to,
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
_ID = "<int:id>"

_QUESTIONS = Tag(name="questions", description="Ask, search, and find quotes again.")
_DOCUMENTS = Tag(
    name="documents", description="What the collection holds: list, read, add, remove."
)
_JOBS = Tag(name="jobs", description="Reading the known folders again, in the background.")
_SERVICE = Tag(name="service", description="Whether it is alive, and how it is.")
_METRICS = {
    "description": "The text format of Prometheus.",
    "content": {"text/plain": {"schema": {"type": "string"}}},
}

api = APIBlueprint(
    "api",
    __name__,
    url_prefix=PREFIX,
    abp_responses=replies(),
    operation_id_callback=named,
)


def register(app: OpenAPI) -> None:
    """Add the JSON interface to ``app``."""
    app.register_api(api)
    for path, view in (("/healthz", health), ("/readyz", ready)):
        declared = app.get(
            path,
            tags=[_SERVICE],
            responses={200: HealthReply, **replies()},
            openapi_extensions={"security": []},
        )
        declared(view)
    app.get("/metrics", tags=[_SERVICE], responses={200: _METRICS, **replies()})(metrics)


def metrics() -> Response:
    """What is measured while serving, for Prometheus."""
    return services().metrics.reply(request.headers.get("Accept", ""))


_OPENAPI = {
    "description": "An OpenAPI document.",
    "content": {"application/json": {"schema": {"type": "object"}}},
}


@api.get("/openapi.json", tags=[_SERVICE], responses={200: _OPENAPI})
def description() -> Response:
    """Describe this interface in OpenAPI 3.1."""
    return Response(json.dumps(contract()), mimetype="application/json")


@api.get("/search", tags=[_QUESTIONS], responses={200: SearchReply, **replies(304, 414)})
def search(query: SearchQuery) -> Response:
    """Find passages by words and by meaning, each with why it was found.

    Results that rank the same stand in the order of their `passage_id`.
    """
    unless_kept(generation())
    found = services().engine.search(
        query.q,
        limit=query.limit,
        offset=query.offset,
        mode=query.mode,
        filter=query.filter,
        order=query.order,
        read=query.read,
    )
    return _kept(SearchReply.of(found))


@api.get("/answer", tags=[_QUESTIONS], responses={200: AnswerReply, **replies(304, 414)})
def answer(query: AnswerQuery) -> Response:
    """Answer a question with verified quotes, or say that nothing fits.

    Each quote stands word for word in its document, at the offsets that are given with it.
    """
    unless_kept(generation())
    return _kept(AnswerReply.of(answer_to(query.q, filter=query.filter, limit=query.limit)))


@api.get("/suggest", tags=[_QUESTIONS], responses={200: SuggestReply, **replies(304)})
def suggest(query: SuggestQuery) -> Response:
    """Go on from the beginning of a question, with what the collection holds."""
    with services().home.store.snapshot() as snapshot:
        unless_kept(snapshot.generation)
        found = suggestions(snapshot, query.q)
        return _kept(SuggestReply.of(found, snapshot.generation, took_ms()))


@api.get("/citation", tags=[_QUESTIONS], responses={200: CitationReply, **replies(304, 404)})
def citation(query: CitationQuery) -> Response:
    """Find a quote again, though its document changed, or learn that it is gone and since when."""
    with services().home.store.snapshot() as snapshot:
        found = snapshot.document(query.document)
        if found is None and not snapshot.had(query.document):
            raise no_document(query.document)
        unless_kept(snapshot.generation)
        text = snapshot.text(found.id)[0] if found else ""
        text_hash = found.text_hash if found else None
        place = anchor(text, text_hash or "", query.quoted)
        return _kept(
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
    "description": "All that matches: a `ResultValue` a line, or a table for spreadsheets.",
    "content": {media: {"schema": {"type": "string"}} for media in MEDIA_TYPES.values()},
}


@api.get("/export", tags=[_QUESTIONS], responses={200: _EXPORT, **replies(304, 414)})
def export(query: ExportQuery) -> Response:
    """Give out every passage that holds words of the question, or meets the filter."""
    unless_kept(before := generation())
    results = services().engine.export(query.q, filter=query.filter)
    # The first result is found before the reply begins, so that a failure can still be told.
    results = chain(list(islice(results, 1)), results)
    name = f"khazri-export.{query.format}"
    response = Response(
        lines(results, query.format),
        content_type=f"{MEDIA_TYPES[query.format]}; charset=utf-8",
        headers={"Content-Disposition": f"attachment; filename={name}"},
    )
    # It was opened in between: where both are the same, it is of this generation.
    return keep(response, before) if generation() == before else response


@api.get("/documents", tags=[_DOCUMENTS], responses={200: DocumentsReply, **replies(304)})
def documents(query: DocumentsQuery) -> Response:
    """List the collection, newest change first.

    Documents that changed at the same moment stand in the order of their `id`, the highest first.
    """
    with services().home.store.snapshot() as snapshot:
        unless_kept(snapshot.generation)
        total, page = snapshot.documents(query.offset, query.limit, query.q)
        return _kept(
            DocumentsReply(
                total=total,
                limit=query.limit,
                offset=query.offset,
                documents=tuple(map(DocumentRow.of, page)),
                generation=snapshot.generation,
                took_ms=took_ms(),
            )
        )


@api.get(
    f"/documents/{_ID}", tags=[_DOCUMENTS], responses={200: DocumentReply, **replies(304, 404)}
)
def document(path: ById) -> Response:
    """Read one document: its text, and the headings, paragraphs and rows that it consists of."""
    with services().home.store.snapshot() as snapshot:
        found = snapshot.document(path.id)
        if found is None:
            raise no_document(path.id)
        unless_kept(snapshot.generation)
        text, blocks = snapshot.text(path.id)
        return _kept(
            DocumentReply(
                **DocumentRow.of(found).model_dump(),
                text=text,
                blocks=tuple(map(BlockValue.of, blocks)),
                generation=snapshot.generation,
                took_ms=took_ms(),
            )
        )


_JSON_BODY = {"schema": {"$ref": "#/components/schemas/DocumentsBody"}}
_EXAMPLE = {"id": "heron-1", "title": "A heron", "text": "The grey heron nests in tall trees."}
_, _JSON_SCHEMAS = parse_body(DocumentsBody)
api.components_schemas.update(_JSON_SCHEMAS)
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {**_JSON_BODY, "example": _EXAMPLE},
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
_UPLOADED = {200: UploadReply, 201: UploadReply, **replies(413, 415)}


@api.post("/documents", tags=[_DOCUMENTS], responses=_UPLOADED, openapi_extensions=_BODY)
def upload() -> Response:
    """Add documents: files, or text as JSON.

    201 when all of them are stored and searchable; 200 when some could not be read, and why.
    """
    outcomes = add_documents(received(request))
    reply = UploadReply.of(outcomes, generation(), took_ms())
    return _json(reply, 201 if all(outcome.stored for outcome in outcomes) else 200)


@api.delete(f"/documents/{_ID}", tags=[_DOCUMENTS], responses={200: RemovalReply, **replies(404)})
def remove(path: ById) -> Response:
    """Remove a document. Its file stays where it is, and is not read again until it changes."""
    return _json(RemovalReply(generation=remove_document(path.id), took_ms=took_ms()))


@api.post("/reindex", tags=[_JOBS], responses={202: JobReply})
def reindex() -> Response:
    """Read the known folders again, in the background."""
    return _job(start_reindexing(), 202)


@api.get("/jobs", tags=[_JOBS], responses={200: JobsReply})
def jobs(query: JobsQuery) -> Response:
    """List background work, newest first."""
    listed = tuple(map(JobValue.of, services().home.jobs.list(query.limit)))
    return _json(JobsReply(jobs=listed, generation=generation(), took_ms=took_ms()))


@api.get(f"/jobs/{_ID}", tags=[_JOBS], responses={200: JobReply, **replies(404)})
def job(path: ById) -> Response:
    """Follow one job."""
    return _job(find_job(path.id))


@api.post(f"/jobs/{_ID}/cancel", tags=[_JOBS], responses={202: JobReply, **replies(404)})
def cancel(path: ById) -> Response:
    """Ask a job to stop. What it has stored so far stays."""
    return _job(cancel_job(path.id), 202)


def _job(job: Job, status: int = 200) -> Response:
    reply = JobReply(**JobValue.of(job).model_dump(), generation=generation(), took_ms=took_ms())
    response = _json(reply, status)
    if status == 202:
        response.headers["Location"] = url_for("api.job", id=job.id)
    return response


def _kept(reply: Reply) -> Response:
    return keep(_json(reply), reply.generation)


def _json(reply: Reply, status: int = 200) -> Response:
    return Response(reply.model_dump_json(), status, mimetype="application/json")
