"""Khazri as a search engine of the browser: its OpenSearch description, and suggestions for it.

https://github.com/dewitt/opensearch, drafts 1.1 (description) and its suggestions extension.
"""

from __future__ import annotations

from xml.sax.saxutils import escape

from flask import Flask, Response, jsonify, request, url_for

from search.suggestions import suggestions
from web.services import services

TYPED = 200  # characters that suggestions are made for

_DESCRIPTION = """\
<?xml version="1.0" encoding="UTF-8"?>
<OpenSearchDescription xmlns="http://a9.com/-/spec/opensearch/1.1/">
  <ShortName>Khazri</ShortName>
  <Description>Ask the documents at {host}.</Description>
  <InputEncoding>UTF-8</InputEncoding>
  <Url type="text/html" method="get" template="{ask}"/>
  <Url type="application/x-suggestions+json" method="get" template="{suggest}"/>
  <Url type="application/opensearchdescription+xml" rel="self" template="{self}"/>
</OpenSearchDescription>
"""


def register(app: Flask) -> None:
    """Add the description to ``app``; base.html names it to browsers."""
    app.add_url_rule("/opensearch.xml", "opensearch", description)
    app.add_url_rule("/suggestions", "suggestions", suggested)


def description() -> Response:
    """How to ask, with the addresses by which this request came."""
    told = _DESCRIPTION.format(
        host=escape(request.host),
        ask=_template("pages.ask"),
        suggest=_template("suggestions"),
        self=escape(url_for("opensearch", _external=True), {'"': "&quot;"}),
    )
    return Response(told, mimetype="application/opensearchdescription+xml")


def _template(endpoint: str) -> str:
    """An address with a place for what is typed."""
    return escape(url_for(endpoint, _external=True), {'"': "&quot;"}) + "?q={searchTerms}"


def suggested() -> Response:
    """What was typed, and what may be meant by it, as browsers want it."""
    typed = request.args.get("q", "")[:TYPED]
    with services().home.store.snapshot() as snapshot:
        found = [each.text for each in suggestions(snapshot, typed)]
    reply = jsonify([typed, found])
    reply.mimetype = "application/x-suggestions+json"
    return reply
