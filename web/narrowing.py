"""Filters as a page of results offers them: each a link that adds or takes away one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from index.facets import Counted, Facets

OPEN = 6  # values of a facet in the open; the others on demand
MOST = 60  # values of a facet, at most


@dataclass(frozen=True, slots=True)
class Choice:
    """A filter to add: how many of the passages it leaves, and the address that adds it."""

    name: str
    count: int
    link: str


@dataclass(frozen=True, slots=True)
class Facet:
    """What passages can be narrowed by: some values in the open, the others on demand."""

    name: str
    first: list[Choice]
    rest: list[Choice]


@dataclass(frozen=True, slots=True)
class Chosen:
    """A filter that is set, and the address without it."""

    name: str
    value: str
    link: str


Link = Callable[..., str]


def offered(
    facets: Facets, chosen: Mapping[str, str], name: Callable[[str], str], link: Link
) -> list[Facet]:
    """The facets that tell the passages apart and are not chosen already.

    ``name`` gives the name of a type, ``link`` the address with some fields set otherwise.
    """
    found = []
    for label, field, counted in (
        ("Source", "source", facets.sources),
        ("Type", "type", facets.types),
        ("Tag", "tag", facets.tags),
    ):
        if not chosen.get(field):
            shown = name if field == "type" else str
            found.append(_facet(label, counted, shown, lambda v, f=field: link(**{f: v})))
    if not chosen.get("after") and not chosen.get("before"):
        years = tuple((year, count) for year, count in facets.years if "0000" < year < "9999")
        found.append(_facet("Year", years, str, lambda year: link(**_year(year))))
    least = {"Tag": 1}  # not all passages have one
    return [facet for facet in found if len(facet.first) >= least.get(facet.name, 2)]


def _facet(name: str, counted: Counted, shown: Callable[[str], str], link: Link) -> Facet:
    choices = [
        Choice(shown(value), count, link(value))
        for value, count in counted[:MOST]
        if value.strip() and not set(value) & set('"“”')  # which the language can't say
    ]
    return Facet(name, choices[:OPEN], choices[OPEN:])


def _year(year: str) -> dict[str, str]:
    return {"after": f"{year}-01-01", "before": f"{int(year) + 1:04}-01-01"}


def taken(
    chosen: Mapping[str, str], name: Callable[[str], str], day: Callable[[str], str], link: Link
) -> list[Chosen]:
    """The filters that are set; a whole year is one."""
    after, before = chosen.get("after", ""), chosen.get("before", "")
    found = []
    for label, field in (("Source", "source"), ("Type", "type"), ("Tag", "tag")):
        if value := chosen.get(field):
            found.append(
                Chosen(label, name(value) if field == "type" else value, link(**{field: ""}))
            )
    if after and _year(after[:4]) == {"after": after, "before": before}:
        return [*found, Chosen("Year", after[:4], link(after="", before=""))]
    if after:
        found.append(Chosen("Published from", day(after), link(after="")))
    if before:
        found.append(Chosen("Published before", day(before), link(before="")))
    return found
