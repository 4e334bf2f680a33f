-- Any BMS: maps kept with their versions, registers as they came, what a device does not answer for, slow gateways,
-- and readings that were decoded again.

-- A version of a map never changes: raw registers name the one they were decoded with.
create table sos_ops.protocol_map (
    map_id   int generated always as identity primary key,
    name     text not null check (name ~ '^[a-z][a-z0-9_]{0,62}$'),
    version  int not null check (version >= 1),
    content  text not null,
    sha256   text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    -- The points' names, so that what a device did not say can be told from what it does not measure.
    points   text[] not null check (cardinality(points) >= 1),
    added_by text not null default sos_ops.actor(),
    added_at timestamptz not null default sos_ops.now(),
    unique (name, version)
);

create function sos_ops.refuse_change_of_map() returns trigger
language plpgsql volatile
set search_path = pg_catalog
as $$
begin
    raise exception using errcode = 'feature_not_supported',
        message = format('version %s of map %L is kept as it is, raw registers name it: add a new version',
                         old.version, old.name);
end
$$;
create trigger refuse_change before update or delete on sos_ops.protocol_map
for each row execute function sos_ops.refuse_change_of_map();

-- A retired device's name is free for the one that takes its place.
alter table sos_ops.device drop constraint device_name_key;
create unique index device_active_name on sos_ops.device (name) where retired_at is null;
alter table sos_ops.device add constraint device_retired_after_creation check (retired_at >= created_at);

-- Which map was to be read; NULL where nobody polled, or the map was not to be had.
alter table sos_ops.poll add column map_id int references sos_ops.protocol_map;

alter table sos_ops.reading add column text_value text;
alter table sos_ops.reading add constraint text_or_number check (text_value is null or value is null);

-- What a reading was before its registers were decoded again.
create table sos_ops.reading_revision (
    minute        timestamptz not null,
    device_id     int not null,
    point_id      int not null,
    read_at       timestamptz not null,
    value         double precision,
    suspect_value double precision,
    quality       text not null,
    text_value    text,
    -- The map that the new reading was decoded with.
    map_id        int not null references sos_ops.protocol_map,
    superseded_at timestamptz not null,
    superseded_by text not null,
    primary key (minute, device_id, point_id, superseded_at)
);

-- The registers of a minute as they came, big-endian, one row a request that was answered.
create table sos_ops.raw_block (
    minute    timestamptz not null,
    read_at   timestamptz not null,
    device_id int not null,
    map_id    int not null,
    start     int not null check (start between 0 and 65535),
    function  text not null check (function in ('input', 'holding')),
    registers bytea not null check (octet_length(registers) between 2 and 250 and octet_length(registers) % 2 = 0),
    primary key (minute, device_id, function, start),
    check (start + octet_length(registers) / 2 <= 65536)
) partition by range (minute);

-- Registers that a device does not answer for; restored_at NULL while that is so.
create table sos_ops.quarantined_register (
    quarantine_id bigint generated always as identity primary key,
    device_id     int not null references sos_ops.device,
    start         int not null check (start between 0 and 65535),
    count         int not null check (count between 1 and 125),
    function      text not null check (function in ('input', 'holding')),
    -- Empty for a gap between points that cannot be read across.
    points        text[] not null,
    reason        text not null,
    since         timestamptz not null,
    -- How many checks they have failed since they were found.
    checks        int not null default 0 check (checks >= 0),
    checked_at    timestamptz not null check (checked_at >= since),
    next_check    timestamptz not null check (next_check > checked_at),
    restored_at   timestamptz check (restored_at >= since),
    check (start + count <= 65536)
);
create unique index quarantined_register_now on sos_ops.quarantined_register (device_id, function, start)
where restored_at is null;
create index quarantined_register_by_device on sos_ops.quarantined_register (device_id, function, start, since desc);

-- Gateways that were too slow for the minute's quick lane at some time: which lane reads them now.
create table sos_ops.gateway (
    host   text not null check (host = lower(host)),
    port   int not null check (port between 1 and 65535),
    slow   boolean not null,
    -- When it came into this lane.
    since  timestamptz not null,
    primary key (host, port)
);

-- Minutes that brought readings, and how often those changed: an engine has analysed a minute when it has seen the
-- last change. A count, not a mark taken away: a change that commits while an engine works is not overlooked.
create table sos_ops.read_minute (
    minute     timestamptz primary key,
    changes    int not null check (changes >= 1),
    changed_at timestamptz not null
);
create index read_minute_by_change on sos_ops.read_minute (changed_at);
insert into sos_ops.read_minute (minute, changes, changed_at)
select minute, 1, minute from sos_ops.poll where outcome <> 'failed' group by minute;
alter table sos_ops.analysed add column changes int not null default 1 check (changes >= 1);
alter table sos_ops.analysed alter column changes drop default;

-- As in 0005, with the day's raw registers.
create or replace function sos_ops.ensure_days(first_day date, last_day date) returns int
language plpgsql volatile
set search_path = pg_catalog
as $$
declare
    parent text;
    its_day date;
    made int := 0;
    its_name text;
begin
    foreach parent in array array['reading', 'raw_block', 'tag_score', 'sos'] loop
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

-- Raw registers of a UTC day, gone as a whole. The day's name is checked by its form: no other table is ever dropped.
create function sos_ops.drop_raw_day(its_day date) returns boolean
language plpgsql volatile
set search_path = pg_catalog
as $$
declare
    its_name constant text := 'raw_block' || to_char(its_day, '_YYYY_MM_DD');
begin
    if to_regclass(format('sos_ops.%I', its_name)) is null then
        return false;
    end if;
    -- Dropping waits for every poll that is being stored, and every poll would wait behind it: not for long.
    perform set_config('lock_timeout', '2s', true);
    execute format('drop table sos_ops.%I', its_name);
    return true;
end
$$;
