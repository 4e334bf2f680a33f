"""Every login of the server can do exactly what `role_matrix.md` says: role x relation x verb, tried and looked up.

Each verb is tried by a real session of the role, and the server is asked whether the role has the privilege, so that
neither a rule of a view nor an error of another kind passes for a refusal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from sos_ops.store.logins import give_login
from tests.support.database import Cluster, Database
from tests.support.plant import TEMPERATURE, at, furnish, make_set

MATRIX = Path(__file__).with_name("role_matrix.md")
NOW = at(30)
VERBS = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN")
BY_COLUMN = ("SELECT", "INSERT", "UPDATE", "REFERENCES")
ROLES = ("keti", "suresoft", "airflow", "stranger")
"""The sessions: two partners, Airflow's login, and a login that nobody granted anything."""

REFUSED = psycopg.errors.InsufficientPrivilege
NO_SUCH_THING = (
    psycopg.errors.ObjectNotInPrerequisiteState,  # a view that takes no such change, whoever asks
    psycopg.errors.WrongObjectType,  # no view can be truncated
    psycopg.errors.FeatureNotSupported,
)

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True)
class Server:
    """A platform with two partners, and a session of each login."""

    database: Database
    sessions: dict[str, Connection]

    def role(self, name: str) -> str:
        return self.sessions[name].info.user


@pytest.fixture(scope="module")
def server(cluster: Cluster) -> Iterator[Server]:
    with cluster.fresh_database() as database:
        database.set_clock(NOW)
        furnish(database, {"over_temp": TEMPERATURE})
        furnish(database, {"usad": TEMPERATURE}, partner="suresoft")
        make_set(database, "over_temp", "usad")
        database.run("select sos_ops.ensure_days('2026-03-01', '2026-03-01')")
        with database.connect() as connection:
            urls = {name: give_login(connection, name, database.url) for name in ("keti", "suresoft")}
        database.run("drop role if exists stranger")
        database.run("create role stranger login password 'stranger'")
        host = psycopg.conninfo.conninfo_to_dict(database.url)
        urls["airflow"] = cluster.airflow_url(database)
        urls["stranger"] = f"postgresql://stranger:stranger@{host['host']}:{host['port']}/{host['dbname']}"
        sessions = {name: psycopg.connect(url, autocommit=True) for name, url in urls.items()}
        try:
            yield Server(database, sessions)
        finally:
            for session in sessions.values():
                session.close()
            database.run("drop role stranger")


def table_of(title: str) -> dict[str, list[str]]:
    """A table of the matrix by its heading: first cell -> the cells of the roles."""
    section = MATRIX.read_text(encoding="utf-8").split(f"## {title}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert len({row[0] for row in rows}) == len(rows), "a line stands twice"
    return {row[0].strip("`"): row[1:] for row in rows}


def name_in_matrix(schema: str, relation: str, role: str) -> str:
    """Partitions are one line of their table, and partners' relations are one line for one's own, one for others'."""
    relation = re.sub(r"_\d{4}_\d\d_\d\d$", "_YYYY_MM_DD", relation)
    for partner in ("keti", "suresoft"):
        whose = "its own" if partner == role else "another's"
        if (schema, relation) == ("keti", partner):
            return f"keti.NAME, {whose}"
        if (schema, relation) == ("sos_ops", f"{partner}_result"):
            return f"sos_ops.NAME_result, {whose}"
    return f"{schema}.{relation}"


def relations(server: Server) -> list[tuple[str, str, str, list[str]]]:
    """Every relation of ours: schema, name, kind, columns."""
    return server.database.rows(
        "select n.nspname, c.relname, c.relkind::text, array_agg(a.attname::text order by a.attnum) "
        "from pg_class as c join pg_namespace as n on n.oid = c.relnamespace "
        "join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped "
        "where n.nspname !~ '^pg_' and n.nspname <> 'information_schema' "
        "and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') "
        "group by 1, 2, 3 order by 1, 2"
    )


def expected(matrix: dict[str, list[str]], name: str, role: str) -> set[str]:
    cell = matrix[name][ROLES.index(role)]
    return set() if cell == "-" else set(cell.split())


def test_every_relation_stands_in_the_matrix_and_nothing_else_does(server: Server) -> None:
    matrix = table_of("Relations")
    found = {
        name_in_matrix(schema, relation, role)
        for schema, relation, kind, _ in relations(server)
        for role in ("keti", "airflow")
        if kind != "S"
    }
    missing = sorted(found - set(matrix))
    assert not missing, "decide who may do what, and add to role_matrix.md:\n" + "\n".join(
        f"| `{name}` | - | - | - | - |" for name in missing
    )
    gone = {name for name in set(matrix) - found if not name.startswith("pg_catalog.")}
    assert not gone, "in role_matrix.md, but not in the database"


@pytest.mark.parametrize("role", ROLES)
def test_a_role_has_exactly_the_privileges_of_the_matrix(server: Server, role: str) -> None:
    matrix = table_of("Relations")
    wrong = []
    for schema, relation, kind, _ in relations(server):
        may = set() if kind == "S" else expected(matrix, name_in_matrix(schema, relation, role), role)
        has = privileges(server, role, schema, relation, kind)
        if has != may:
            wrong.append(f"{schema}.{relation}: has {sorted(has)}, may {sorted(may)}")
    assert not wrong


def privileges(server: Server, role: str, schema: str, relation: str, kind: str) -> set[str]:
    name, login = f'"{schema}"."{relation}"', server.role(role)
    if not server.database.value("select has_schema_privilege(%s, %s, 'usage')", login, schema):
        return set()
    if kind == "S":
        found = [(verb, "sequence") for verb in ("SELECT", "UPDATE", "USAGE")]
    else:
        found = [(verb, "table") for verb in VERBS] + [(verb, "any_column") for verb in BY_COLUMN]
    return {
        verb
        for verb, what in found
        if server.database.value(f"select has_{what}_privilege(%s, %s, %s)", login, name, verb)
    }


@pytest.mark.parametrize("role", ROLES)
def test_a_session_of_a_role_can_do_what_the_matrix_says_and_is_refused_the_rest(
    server: Server, role: str
) -> None:
    matrix, session = table_of("Relations"), server.sessions[role]
    wrong = []
    for schema, relation, kind, columns in relations(server):
        if kind == "S":
            continue
        may = expected(matrix, name_in_matrix(schema, relation, role), role)
        for verb, statement in attempts(schema, relation, columns[0], role).items():
            outcome = tried(session, statement)
            if outcome != ("done" if verb in may else "refused"):
                wrong.append(f"{verb} on {schema}.{relation}: {outcome}")
    assert not wrong


def attempts(schema: str, relation: str, column: str, role: str) -> dict[str, sql.Composed | str]:
    """A statement for each verb that needs no other privilege than the verb's."""
    name, first = sql.Identifier(schema, relation), sql.Identifier(column)
    tag = {"keti": "over_temp", "suresoft": "usad"}.get(role)
    insert = sql.SQL("insert into {} default values").format(name)
    if (schema, relation) == ("keti", role):
        insert = sql.SQL("insert into {} values ({}, {}, 1)").format(name, sql.Literal(NOW), sql.Literal(tag))
    return {
        "SELECT": sql.SQL("select from {} limit 1").format(name),
        "INSERT": insert,
        "UPDATE": sql.SQL("update {} set {} = default where false").format(name, first),
        "DELETE": sql.SQL("delete from {} where false").format(name),
        "TRUNCATE": sql.SQL("truncate {}").format(name),
        "REFERENCES": sql.SQL("create table keti.new (n int references {})").format(name),
        "TRIGGER": sql.SQL(
            "create trigger t before truncate on {} execute function suppress_redundant_updates_trigger()"
        ).format(name),
    }


def tried(session: Connection, statement: sql.Composed | str) -> str:
    try:
        session.execute(statement if isinstance(statement, sql.Composed) else statement.encode())
    except (REFUSED, *NO_SUCH_THING):
        return "refused"
    except psycopg.Error as error:
        return f"neither: {error}"
    return "done"


@pytest.mark.parametrize("role", ROLES)
def test_of_the_servers_own_relations_a_role_sees_nothing_secret_and_changes_none(
    server: Server, role: str
) -> None:
    matrix = {name: cells for name, cells in table_of("Relations").items() if name.startswith("pg_catalog.")}
    found = server.database.rows(
        "select n.nspname || '.' || c.relname, v.verb, has_table_privilege(%s, c.oid, v.verb) "
        "or case when v.verb = any (%s) then has_any_column_privilege(%s, c.oid, v.verb) else false end "
        "from pg_class as c join pg_namespace as n on n.oid = c.relnamespace cross join unnest(%s::text[]) as v (verb) "
        "where n.nspname in ('pg_catalog', 'information_schema') and c.relkind in ('r', 'v')",
        server.role(role), list(BY_COLUMN), server.role(role), list(VERBS),
    )  # fmt: skip
    may: dict[str, set[str]] = {}
    for name, verb, has in found:
        may.setdefault(name, set())
        if has:
            may[name].add(verb)
    for name, has in may.items():
        assert has == expected(matrix, name, role) if name in matrix else has <= {"SELECT"}, (name, has)
    for name in set(matrix) & set(may):
        schema, relation = name.split(".")
        done = tried(
            server.sessions[role], sql.SQL("select from {}").format(sql.Identifier(schema, relation))
        )
        assert done == ("done" if "SELECT" in expected(matrix, name, role) else "refused"), name


@pytest.mark.parametrize("role", ROLES)
def test_no_role_runs_a_function_of_ours(server: Server, role: str) -> None:
    session = server.sessions[role]
    functions = server.database.rows(
        "select n.nspname, p.proname, oidvectortypes(p.proargtypes), p.oid, p.prorettype = 'trigger'::regtype "
        "from pg_proc as p join pg_namespace as n on n.oid = p.pronamespace "
        "where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'"
    )
    assert len(functions) > 10
    for schema, name, types, oid, _ in functions:
        assert not server.database.value(
            "select has_function_privilege(%s, %s::oid, 'execute')", server.role(role), oid
        ), name
        arguments = sql.SQL(", ").join(sql.SQL("null::{}").format(sql.SQL(t)) for t in types.split(", ") if t)
        call = sql.SQL("select {}({})").format(sql.Identifier(schema, name), arguments)
        assert tried(session, call) == "refused", name


def test_the_functions_that_run_with_the_platforms_rights_are_these(server: Server) -> None:
    found = server.database.rows(
        "select proname from pg_proc where prosecdef and pronamespace::regnamespace::text !~ '^pg_'"
    )
    assert {row[0] for row in found} == set(table_of("Functions that run with the platform's rights"))


@pytest.mark.parametrize("schema", ["keti", "mine", "sos_ops", "public", "pg_catalog", "information_schema"])
@pytest.mark.parametrize("role", ROLES)
def test_no_role_makes_anything_in_a_schema(server: Server, role: str, schema: str) -> None:
    for statement in (
        "create table {}.new (n int)",
        "create view {}.new as select 1",
        "create sequence {}.new",
    ):
        made = sql.SQL(statement).format(sql.Identifier(schema))
        assert tried(server.sessions[role], made) == "refused"
    function = sql.SQL("create function {}.new() returns int language sql return 1")
    assert tried(server.sessions[role], function.format(sql.Identifier(schema))) == "refused"


ABILITIES = {
    "a temporary table": ["create temporary table new (n int)", "create table pg_temp.new (n int)"],
    "a schema, an extension, a publication": [
        "create schema new", "create extension file_fdw", "create publication new",
    ],
    "a database, a role, a tablespace": [
        "create database new", "create role new", "create tablespace new location '/tmp'",
    ],
    "another role's rights": [
        "set role sos", "set session authorization sos", "grant sos to current_user", "set role pg_write_all_data",
        "set role pg_read_all_data", "set role pg_execute_server_program", "set role partner_other",
    ],
    "its own attributes": [
        "alter role current_user superuser", "alter role current_user connection limit 100",
        "alter role current_user createrole", "alter role current_user valid until '2020-01-01'",
    ],
    "programs and files of the server": [
        "copy (select 1) to program 'true'", "copy (select 1) to '/tmp/new'", "select pg_read_file('PG_VERSION')",
        "select pg_ls_dir('.')", "select pg_stat_file('PG_VERSION')", "select lo_import('/etc/passwd')",
    ],
    "large objects": ["select lo_create(0)", "select lo_from_bytea(0, 'x')", "select lo_creat(-1)"],
    "advisory locks": [
        "select pg_advisory_lock(7306, 20513)", "select pg_advisory_xact_lock_shared(7305, 0)",
        "select pg_try_advisory_lock(7305)", "select pg_advisory_unlock_all()",
    ],
    "the server's settings and state": [
        "alter system set work_mem = '1GB'", "select pg_reload_conf()", "checkpoint", "select pg_switch_wal()",
        "select pg_logical_emit_message(false, 'a', 'b')", "set log_min_error_statement = 'error'",
        "set session_replication_role = 'replica'", "set temp_file_limit = -1",
    ],
    "others' sessions": [
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'sos'",
        "select pg_cancel_backend(pid) from pg_stat_activity where usename = 'sos'",
    ],
    "locks on relations it may not read": [
        "do $$ begin execute 'lock table keti.tag_list in access share mode'; end $$",
        "do $$ begin execute 'lock table sos_ops.result in access share mode'; end $$",
        "do $$ begin execute 'lock table keti.keti in access exclusive mode'; end $$",
    ],
    "its own password and timeouts": [
        "set statement_timeout = '1h'", "set idle_in_transaction_session_timeout = 0",
        "do $$ begin execute format('alter role %I password %L', current_user, gen_random_uuid()); end $$",
    ],
}  # fmt: skip


def test_the_matrix_and_the_test_name_the_same_abilities() -> None:
    assert set(table_of("Beyond relations")) == {*ABILITIES, "to connect to another database"}


@pytest.mark.parametrize("ability", ABILITIES)
@pytest.mark.parametrize("role", ROLES)
def test_beyond_relations_a_role_can_do_what_the_matrix_says(server: Server, role: str, ability: str) -> None:
    may = table_of("Beyond relations")[ability][ROLES.index(role)]
    session = server.sessions[role]
    if ability == "another role's rights":
        server.database.run("drop role if exists partner_other")
        server.database.run("create role partner_other")
    for statement in ABILITIES[ability]:
        outcome = tried(session, statement)
        if outcome == "done" and may == "-":
            # Nothing it did may stay: a later test shares the session.
            pytest.fail(f"{role} can: {statement}")
        assert outcome == {"yes": "done", "-": "refused"}[may], (statement, outcome)
    if ability == "another role's rights":
        server.database.run("drop role partner_other")


@pytest.mark.parametrize("role", ["keti", "suresoft"])
@pytest.mark.parametrize("other", ["airflow", "postgres", "template1"])
def test_a_partner_connects_to_no_other_database(server: Server, role: str, other: str) -> None:
    assert table_of("Beyond relations")["to connect to another database"][ROLES.index(role)] == "-"
    assert not server.database.value(
        "select has_database_privilege(%s, %s, 'connect')", server.role(role), other
    )


def test_no_role_of_a_partner_is_a_member_of_anything(server: Server) -> None:
    assert (
        server.database.value(
            "select count(*) from pg_auth_members as m join pg_roles as r on r.oid = m.member "
            "where r.rolname ~ '^partner_'"
        )
        == 0
    )


def test_a_partner_sees_its_own_rows_and_nobody_elses(server: Server) -> None:
    for role, tag in (("keti", "over_temp"), ("suresoft", "usad")):
        session = server.sessions[role]
        for wish, value in ((45.0, 41.0), (45.0, 42.0)):
            session.execute(
                sql.SQL("insert into {} values (%s, %s, %s, %s)").format(sql.Identifier(role)),
                (at(29), tag, value, wish),
            )
    server.database.run(
        "update sos_ops.result set state = 'S', reason = 'x', set_aside_id = 0, decided_at = sos_ops.now() "
        "where ts = %s",
        at(29),
    )
    for role, tag in (("keti", "over_temp"), ("suresoft", "usad")):
        session = server.sessions[role]
        for view in ("result", "set_aside", "tag_list"):
            seen = session.execute(f'select distinct "TAG" from mine.{view}'.encode()).fetchall()  # noqa: S608
            assert seen == [(tag,)], view
        assert session.execute("select count(*) from mine.set_aside").fetchone() == (2,)
    assert server.database.value("select count(*) from mine.result") == 0


def test_a_condition_is_never_tried_on_another_partners_rows(server: Server) -> None:
    session = server.sessions["keti"]
    session.execute("insert into keti values (%s, 'over_temp', 41)", (at(28),))
    server.sessions["suresoft"].execute("insert into suresoft values (%s, 'usad', 1234)", (at(28),))
    # Would divide by zero on suresoft's row, and so tell that it is there.
    session.execute('select * from mine.result where 1 / ("VALUE" - 1234) is not null and "VALUE" < 1e9')
