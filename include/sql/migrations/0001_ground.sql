-- The two schemas and the one clock.
-- `sos_ops` is the platform's own; `keti` speaks the technical document's names to partners and their scripts.

create schema if not exists sos_ops;
create schema keti;

-- Platform time was platform_anchor when the machine's clock showed real_anchor, and runs `rate` times as fast.
-- Untouched it is the machine's clock; tests set it and speed it up, for SQL, Python and the simulated rack alike.
create table sos_ops.clock (
    only_row        boolean primary key default true check (only_row),
    real_anchor     timestamptz not null default '2026-01-01 00:00+00',
    platform_anchor timestamptz not null default '2026-01-01 00:00+00',
    rate            double precision not null default 1 check (rate > 0 and rate <= 3600)
);
insert into sos_ops.clock default values;

-- Seconds, not days: adding days to a timestamptz would follow the session's daylight saving time.
create function sos_ops.now() returns timestamptz
language sql volatile parallel safe
set search_path = pg_catalog
begin atomic
    select c.platform_anchor
           + make_interval(secs => extract(epoch from clock_timestamp() - c.real_anchor)::double precision * c.rate)
    from sos_ops.clock as c;
end;

-- Who is acting: the application says so, else the login.
create function sos_ops.actor() returns text
language sql stable
set search_path = pg_catalog
begin atomic
    select coalesce(nullif(current_setting('sos_ops.actor', true), ''), session_user);
end;
