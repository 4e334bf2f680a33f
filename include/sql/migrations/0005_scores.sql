-- What the platform decided: a score per tag and minute, a SoS per set and minute, and what it decided before.
-- "char" codes, one byte each: band S safe, W warning, C critical, U unknown; missing N none, S stale, A set aside.

create table sos_ops.tag_score (
    minute     timestamptz not null,
    value      double precision,
    result_ts  timestamptz,
    score      double precision check (score between 0 and 1),
    decided_at timestamptz not null,
    tag_id     int not null,
    missing    "char" check (missing in ('N', 'S', 'A')),
    primary key (minute, tag_id),
    check ((score is null) = (missing is not null) and (score is null) = (result_ts is null))
) partition by range (minute);

create table sos_ops.sos (
    minute          timestamptz not null,
    value           double precision check (value between 0 and 1),
    upper           double precision not null check (upper between 0 and 1),
    decided_at      timestamptz not null,
    set_id          int not null,
    limiting_tag_id int,
    known           smallint not null,
    tags            smallint not null,
    band            "char" not null check (band in ('S', 'W', 'C', 'U')),
    primary key (minute, set_id),
    check ((value is null) = (known < tags)),
    -- Absent data can prove danger, never safety.
    check (known = tags or band <> 'S')
) partition by range (minute);

create table sos_ops.tag_score_revision (
    like sos_ops.tag_score,
    superseded_at timestamptz not null,
    primary key (minute, tag_id, decided_at)
);

create table sos_ops.sos_revision (
    like sos_ops.sos,
    superseded_at timestamptz not null,
    primary key (minute, set_id, decided_at)
);

-- One partition per UTC day. Made aside and attached, which does not stop readers as CREATE ... PARTITION OF would.
create function sos_ops.ensure_days(first_day date, last_day date) returns int
language plpgsql volatile
set search_path = pg_catalog
as $$
declare
    parent text;
    its_day date;
    made int := 0;
    its_name text;
begin
    foreach parent in array array['reading', 'tag_score', 'sos'] loop
        for its_day in select first_day + n from generate_series(0, last_day - first_day) as n loop
            its_name := parent || to_char(its_day, '_YYYY_MM_DD');
            continue when to_regclass(format('sos_ops.%I', its_name)) is not null;
            perform pg_advisory_xact_lock(7305, 1);
            -- Asked by a query, whose snapshot is new: the cache behind to_regclass may still say that it is not there
            -- when another session made it while we waited.
            continue when exists (
                select from pg_class as c
                where c.relnamespace = 'sos_ops'::regnamespace and c.relname = its_name
            );
            execute format('create table sos_ops.%I (like sos_ops.%I including defaults including constraints)',
                           its_name, parent);
            execute format('alter table sos_ops.%I attach partition sos_ops.%I for values from (%L) to (%L)',
                           parent, its_name, its_day::timestamp at time zone 'UTC',
                           (its_day + 1)::timestamp at time zone 'UTC');
            made := made + 1;
        end loop;
    end loop;
    return made;
end
$$;
