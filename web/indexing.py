"""The page of indexing: start it, follow it, look back."""

from __future__ import annotations

from flask import redirect, render_template, url_for
from werkzeug.wrappers import Response

from web.pages import ID, pages
from web.services import cancel_job, services, start_reindexing


@pages.get("/jobs")
def jobs() -> str:
    """Start indexing, follow it, and look back."""
    with services().home.store.snapshot() as snapshot:
        sources, counts = snapshot.sources(), snapshot.count()
    listed = services().home.jobs.list()
    return render_template(
        "jobs.html",
        sources=sources,
        counts=counts,
        rereadable=any(source.kind in ("folder", "file", "jsonl") for source in sources),
        active=[job for job in listed if job.status in ("queued", "running")],
        history=[job for job in listed if job.status not in ("queued", "running")],
    )


@pages.post("/jobs")
def reindex() -> Response:
    """Read the known sources again."""
    start_reindexing()
    return redirect(url_for("pages.jobs"), 303)


@pages.post(f"/jobs/{ID}/cancel")
def cancel(id: int) -> Response:
    """Ask a job to stop."""
    cancel_job(id)
    return redirect(url_for("pages.jobs"), 303)
