"""The technical document's relations as plain tables of one site, as its own authors would have had them.

Smaller and simpler than the platform's schema `keti`: what the document's loop is at its fastest on.
"""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from bench.fleet import PARTNERS, FleetTag
from sos_ops.store.connection import Connection


def make_tables_of_one_site(connection: Connection, tags: Sequence[FleetTag]) -> None:
    """(Re)makes schema `document` with these tags, their sets and results."""
    names = [tag.name for tag in tags]
    connection.execute("set client_min_messages to warning")
    connection.execute("drop schema if exists document cascade")
    connection.execute("create schema document")
    connection.execute(
        'create table document.tag_list as select * from keti.tag_list where "TAG" = any (%s)', (names,)
    )
    connection.execute(
        "create table document.tag_combination_map as "
        'select * from keti.tag_combination_map where "TAG_SET" <@ %s order by "SET_ID"',
        (names,),
    )
    connection.execute(
        'create table document.sos ("TIMESTAMP" timestamptz, "VALUE" double precision, "SET_ID" int, "F_VALUE" json)'
    )
    for partner in PARTNERS:
        table, view = sql.Identifier("document", partner), sql.Identifier("keti", partner)
        connection.execute(
            sql.SQL('create table {} as select * from {} where "TAG" = any (%s)').format(table, view),
            (names,),
        )
        connection.execute(sql.SQL('create index on {} ("TAG", "TIMESTAMP")').format(table))
    connection.execute("analyze document.tag_list, document.tag_combination_map")
