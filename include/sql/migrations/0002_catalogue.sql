-- What exists: sites, devices, points, partners, tags with their versioned limits, bands, sets.

create table sos_ops.site (
    site       text primary key check (site ~ '^[^[:cntrl:][:space:]''"`;\\%{}$/]{1,64}$'),
    created_at timestamptz not null default sos_ops.now()
);
insert into sos_ops.site (site) values ('testbed');

create table sos_ops.device (
    device_id    int generated always as identity primary key,
    name         text not null unique check (name ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$'),
    site         text not null references sos_ops.site,
    host         text not null,
    port         int not null check (port between 1 and 65535),
    unit_id      int not null check (unit_id between 0 and 255),
    protocol_map text not null,
    created_at   timestamptz not null default sos_ops.now(),
    retired_at   timestamptz
);

create table sos_ops.point (
    point_id int generated always as identity primary key,
    name     text not null unique
);

create table sos_ops.partner (
    partner_id smallint generated always as identity primary key,
    name       text not null unique check (name ~ '^[a-z][a-z0-9_]{0,30}$'),
    created_at timestamptz not null default sos_ops.now()
);

-- Tags compare by bytes everywhere: scores are multiplied in that order, so it must not depend on a locale.
-- Quotes, semicolons and the like are refused because the document's script builds its SQL from tag names.
create table sos_ops.tag (
    tag_id     int generated always as identity primary key,
    tag        text collate "C" not null
               check (tag ~ '^[^[:cntrl:][:space:]''"`;\\%{}$/]{1,64}(/[^[:cntrl:][:space:]''"`;\\%{}$/]{1,64})?$'),
    site       text not null references sos_ops.site,
    partner_id smallint not null references sos_ops.partner,
    unit       text,
    created_at timestamptz not null default sos_ops.now(),
    retired_at timestamptz
);
create unique index tag_active_name on sos_ops.tag (tag) where retired_at is null;

create table sos_ops.tag_limits (
    tag_id             int not null references sos_ops.tag,
    version            int not null,
    valid_from         timestamptz not null,
    maximum_safe_value double precision not null check (abs(maximum_safe_value) < 'Infinity'),
    warning_threshold  double precision not null check (abs(warning_threshold) < 'Infinity'),
    upper_safety_limit double precision not null check (upper_safety_limit > 0 and upper_safety_limit < 1),
    max_age_s          int not null check (max_age_s between 1 and 86400),
    max_count          int not null check (max_count >= 1),
    action             text,
    changed_by         text not null,
    changed_at         timestamptz not null default sos_ops.now(),
    primary key (tag_id, version),
    unique (tag_id, valid_from),
    constraint threshold_differs_from_safe_value check (warning_threshold <> maximum_safe_value),
    -- Half of what a number can hold, so that their difference is a number too.
    constraint limits_within_reach check (greatest(abs(warning_threshold), abs(maximum_safe_value)) < 8.9e307)
);

create table sos_ops.bands (
    version        int primary key,
    valid_from     timestamptz not null unique,
    warning_below  double precision not null check (warning_below > 0 and warning_below <= 1),
    critical_below double precision not null check (critical_below > 0 and critical_below <= warning_below),
    changed_by     text not null,
    changed_at     timestamptz not null default sos_ops.now()
);
insert into sos_ops.bands values (1, '-infinity', 0.80, 0.40, 'default');

-- tag_ids stand in the tags' byte order, so the same tags listed in any order are the same row.
create table sos_ops.tag_set (
    set_id     int generated always as identity primary key,
    tag_ids    int[] not null check (cardinality(tag_ids) between 1 and 4),
    site       text not null references sos_ops.site,
    created_at timestamptz not null default sos_ops.now(),
    created_by text not null,
    retired_at timestamptz
);
create unique index tag_set_active_tags on sos_ops.tag_set (tag_ids) where retired_at is null;

-- How far the minutes are decided. A change of limits holds from after newest_decided, so no decided minute moves.
create table sos_ops.scoring_progress (
    only_row       boolean primary key default true check (only_row),
    closed_until   timestamptz,
    newest_decided timestamptz
);
insert into sos_ops.scoring_progress default values;

-- Scoring holds this lock shared while it decides a minute, a change of limits or bands exclusively:
-- otherwise a change could become visible after a minute it claims to hold for was decided without it.
create function sos_ops.lock_limits_for_change() returns timestamptz
language plpgsql volatile
set search_path = pg_catalog
as $$
begin
    perform pg_advisory_xact_lock(7305, 0);
    -- Scoring waits for this lock: a session that keeps it and goes idle is ended by the server.
    perform set_config('idle_in_transaction_session_timeout', '10s', true);
    return (select greatest(sos_ops.now(), p.newest_decided + interval '1 microsecond')
            from sos_ops.scoring_progress as p);
end
$$;

-- The limits in force now, one row per tag that is not retired.
create view sos_ops.tag_current as
select t.tag_id, t.tag, t.site, t.partner_id, p.name as partner, t.unit, t.created_at,
       l.version, l.valid_from, l.maximum_safe_value, l.warning_threshold, l.upper_safety_limit,
       l.max_age_s, l.max_count, l.action, l.changed_by, l.changed_at
from sos_ops.tag as t
join sos_ops.partner as p using (partner_id)
cross join lateral (
    select v.* from sos_ops.tag_limits as v where v.tag_id = t.tag_id order by v.version desc limit 1
) as l
where t.retired_at is null;

create function sos_ops.add_tag(
    new_tag text, new_partner text, x100 double precision, xl double precision,
    l double precision default 0.8, new_max_age_s int default 180, new_max_count int default 2,
    new_action text default null, new_unit text default null
) returns int
language plpgsql volatile
set search_path = pg_catalog
as $$
declare
    its_site text := case when position('/' in new_tag) > 0 then split_part(new_tag, '/', 1) else 'testbed' end;
    its_partner smallint := (select p.partner_id from sos_ops.partner as p where p.name = new_partner);
    its_id int;
begin
    if its_partner is null then
        raise exception using errcode = 'foreign_key_violation',
            message = format('no partner named %L: add it first with `sos-ops partner add NAME`', new_partner);
    end if;
    if new_tag like 'testbed/%' then
        raise exception using errcode = 'check_violation',
            message = format('tags of the default site have bare names: %L instead of %L',
                             left(split_part(new_tag, '/', 2), 80), left(new_tag, 80));
    end if;
    insert into sos_ops.site (site) values (its_site) on conflict do nothing;
    insert into sos_ops.tag (tag, site, partner_id, unit)
    values (new_tag, its_site, its_partner, new_unit) returning tag_id into its_id;
    insert into sos_ops.tag_limits (tag_id, version, valid_from, maximum_safe_value, warning_threshold,
                                    upper_safety_limit, max_age_s, max_count, action, changed_by)
    values (its_id, 1, '-infinity', x100, xl, coalesce(l, 0.8), coalesce(new_max_age_s, 180),
            coalesce(new_max_count, 2), new_action, sos_ops.actor());
    return its_id;
end
$$;

create function sos_ops.change_limits(
    its_id int, x100 double precision, xl double precision, l double precision,
    new_max_age_s int, new_max_count int, new_action text
) returns int
language plpgsql volatile
set search_path = pg_catalog
as $$
declare
    from_time timestamptz := sos_ops.lock_limits_for_change();
    old sos_ops.tag_limits;
begin
    select * into old from sos_ops.tag_limits as v where v.tag_id = its_id order by v.version desc limit 1;
    if (old.maximum_safe_value, old.warning_threshold, old.upper_safety_limit, old.max_age_s, old.max_count, old.action)
       is not distinct from (x100, xl, l, new_max_age_s, new_max_count, new_action) then
        return old.version;
    end if;
    if sign(xl - x100) <> sign(old.warning_threshold - old.maximum_safe_value) then
        raise exception using errcode = 'check_violation',
            message = format('the limits are the other way round than before (%s to %s, now %s to %s): what was '
                             'dangerous would be safe; retire the tag and add a new one if that is meant',
                             old.maximum_safe_value, old.warning_threshold, x100, xl);
    end if;
    insert into sos_ops.tag_limits (tag_id, version, valid_from, maximum_safe_value, warning_threshold,
                                    upper_safety_limit, max_age_s, max_count, action, changed_by)
    values (its_id, old.version + 1, greatest(from_time, old.valid_from + interval '1 microsecond'),
            x100, xl, l, new_max_age_s, new_max_count, new_action, sos_ops.actor());
    return old.version + 1;
end
$$;

create function sos_ops.retire_tag(its_id int) returns void
language plpgsql volatile
set search_path = pg_catalog
as $$
declare
    at_time timestamptz := sos_ops.lock_limits_for_change();
begin
    update sos_ops.tag set retired_at = at_time where tag_id = its_id and retired_at is null;
    update sos_ops.tag_set set retired_at = at_time where its_id = any (tag_ids) and retired_at is null;
end
$$;

create function sos_ops.retire_set(its_id int) returns void
language plpgsql volatile
set search_path = pg_catalog
as $$
declare
    at_time timestamptz := sos_ops.lock_limits_for_change();
begin
    update sos_ops.tag_set set retired_at = at_time where set_id = its_id and retired_at is null;
end
$$;

-- The set of these tags, made if it does not exist. Refusals say what to do.
create function sos_ops.find_or_create_set(wanted text[]) returns int
language plpgsql volatile
set search_path = pg_catalog
as $$
declare
    ids int[];
    sites text[];
    unknown text;
    found_id int;
begin
    if wanted is null or cardinality(wanted) = 0 then
        raise exception using errcode = 'check_violation', message = 'a set needs at least one tag';
    elsif cardinality(wanted) > 4 then
        raise exception using errcode = 'check_violation',
            message = format('a set holds at most 4 tags, not %s: leave some out', cardinality(wanted));
    elsif array_position(wanted, null) is not null then
        raise exception using errcode = 'check_violation', message = 'a tag of the set is NULL: name every tag';
    end if;
    select string_agg(distinct format('%L', w), ', ') into unknown
    from unnest(wanted) as w
    where not exists (select 1 from sos_ops.tag as t where t.tag = w and t.retired_at is null);
    if unknown is not null then
        raise exception using errcode = 'foreign_key_violation',
            message = format('unknown or retired tag: %s; the known ones are in tag_list', unknown);
    end if;
    if cardinality(wanted) <> (select count(distinct w) from unnest(wanted) as w) then
        raise exception using errcode = 'check_violation', message = 'a tag stands twice in the set: name each once';
    end if;
    -- Held against retirement until we commit: a set must not outlive a tag retired meanwhile.
    perform 1 from sos_ops.tag as t where t.tag = any (wanted) and t.retired_at is null for share;
    select array_agg(t.tag_id order by t.tag collate "C"), array_agg(distinct t.site) into ids, sites
    from sos_ops.tag as t where t.tag = any (wanted) and t.retired_at is null;
    if cardinality(ids) is distinct from cardinality(wanted) then
        raise exception using errcode = 'foreign_key_violation', message = 'a tag of the set was retired just now';
    elsif cardinality(sites) > 1 then
        raise exception using errcode = 'check_violation',
            message = format('the tags belong to different sites (%s): a set combines tags of one site',
                             array_to_string(sites, ', '));
    end if;
    loop
        select s.set_id into found_id from sos_ops.tag_set as s where s.tag_ids = ids and s.retired_at is null;
        exit when found_id is not null;
        insert into sos_ops.tag_set (tag_ids, site, created_by) values (ids, sites[1], sos_ops.actor())
        on conflict (tag_ids) where retired_at is null do nothing
        returning set_id into found_id;
        exit when found_id is not null;
    end loop;
    return found_id;
end
$$;
