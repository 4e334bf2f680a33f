-- Partners: what their logins may do, what they see of their own, their wishes for a threshold, and how they are.

-- 1. Names. -----------------------------------------------------------------------------------------------------------

-- Characters that nobody sees would let one tag pass for another. Rows from before stay as they are.
alter table sos_ops.tag add constraint tag_name_is_visible check (
    tag !~ U&'[\0080-\00A0\00AD\061C\180E\2000-\200F\2028-\202F\205F-\206F\3000\FE00-\FE0F\FEFF\FFF9-\FFFB]'
) not valid;
alter table sos_ops.site add constraint site_name_is_visible check (
    site !~ U&'[\0080-\00A0\00AD\061C\180E\2000-\200F\2028-\202F\205F-\206F\3000\FE00-\FE0F\FEFF\FFF9-\FFFB]'
) not valid;

-- 2. Why limits changed, beside who and when. -------------------------------------------------------------------------

alter table sos_ops.tag_limits add column why text not null default 'no reason was given';

create or replace view sos_ops.tag_current as
select t.tag_id, t.tag, t.site, t.partner_id, p.name as partner, t.unit, t.created_at,
       l.version, l.valid_from, l.maximum_safe_value, l.warning_threshold, l.upper_safety_limit,
       l.max_age_s, l.max_count, l.action, l.changed_by, l.changed_at, l.why
from sos_ops.tag as t
join sos_ops.partner as p using (partner_id)
cross join lateral (
    select v.* from sos_ops.tag_limits as v where v.tag_id = t.tag_id order by v.version desc limit 1
) as l
where t.retired_at is null;

alter table sos_ops.partner add column retired_at timestamptz;

drop function sos_ops.add_tag(text, text, double precision, double precision, double precision, int, int, text, text);
create function sos_ops.add_tag(
    new_tag text, new_partner text, x100 double precision, xl double precision,
    l double precision default 0.8, new_max_age_s int default 180, new_max_count int default 2,
    new_action text default null, new_unit text default null, new_why text default null
) returns int
language plpgsql volatile
set search_path = pg_catalog
as $$
declare
    its_site text := case when position('/' in new_tag) > 0 then split_part(new_tag, '/', 1) else 'testbed' end;
    its_partner smallint := (select p.partner_id from sos_ops.partner as p
                             where p.name = new_partner and p.retired_at is null);
    its_id int;
begin
    if its_partner is null then
        raise exception using errcode = 'foreign_key_violation',
            message = format('no partner named %L: add it first with `sos-ops partner add NAME`', left(new_partner, 80));
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
                                    upper_safety_limit, max_age_s, max_count, action, changed_by, why)
    values (its_id, 1, '-infinity', x100, xl, coalesce(l, 0.8), coalesce(new_max_age_s, 180),
            coalesce(new_max_count, 2), new_action, sos_ops.actor(), coalesce(new_why, 'the first limits'));
    return its_id;
end
$$;

drop function sos_ops.change_limits(int, double precision, double precision, double precision, int, int, text);
create function sos_ops.change_limits(
    its_id int, x100 double precision, xl double precision, l double precision,
    new_max_age_s int, new_max_count int, new_action text, new_why text default null
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
    -- Equal ones and those that are no numbers are refused by the table, which says so.
    if sign(xl - x100) = -sign(old.warning_threshold - old.maximum_safe_value) then
        raise exception using errcode = 'check_violation',
            message = format('the limits are the other way round than before (%s to %s, now %s to %s): what was '
                             'dangerous would be safe; retire the tag and add a new one if that is meant',
                             old.maximum_safe_value, old.warning_threshold, x100, xl);
    end if;
    insert into sos_ops.tag_limits (tag_id, version, valid_from, maximum_safe_value, warning_threshold,
                                    upper_safety_limit, max_age_s, max_count, action, changed_by, why)
    values (its_id, old.version + 1, greatest(from_time, old.valid_from + interval '1 microsecond'),
            x100, xl, l, new_max_age_s, new_max_count, new_action, sos_ops.actor(),
            coalesce(new_why, 'no reason was given'));
    return old.version + 1;
end
$$;

create or replace function sos_ops.change_tag_list() returns trigger
language plpgsql volatile
set search_path = pg_catalog
as $$
declare
    its_tag sos_ops.tag_current;
begin
    if tg_op = 'INSERT' then
        perform sos_ops.add_tag(new."TAG", new."TABLE_NAME", new."MAXIMUM_SAFE_VALUE", new."WARNNING_THRESHOLD",
                                new."UPPER_SAFETY_LIMIT", null, new."MAX_COUNT", new."ACTION", null,
                                'inserted into tag_list');
        return new;
    end if;
    perform sos_ops.lock_limits_for_change();
    select * into its_tag from sos_ops.tag_current as c where c.tag = old."TAG";
    if tg_op = 'DELETE' then
        perform sos_ops.retire_tag(its_tag.tag_id);
        return old;
    end if;
    -- Else the writer would put back, unseen, what somebody or a rule changed while it waited.
    if (its_tag.action, its_tag.warning_threshold, its_tag.maximum_safe_value, its_tag.upper_safety_limit,
        its_tag.max_count)
       is distinct from (old."ACTION", old."WARNNING_THRESHOLD", old."MAXIMUM_SAFE_VALUE", old."UPPER_SAFETY_LIMIT",
                         old."MAX_COUNT") then
        raise exception using errcode = 'serialization_failure',
            message = format('the limits of %L were changed just now: look at them and try again', left(old."TAG", 80));
    end if;
    if (new."TAG", new."TABLE_NAME") is distinct from (old."TAG", old."TABLE_NAME") then
        raise exception using errcode = 'feature_not_supported',
            message = 'TAG and TABLE_NAME of a tag cannot change: delete it and insert a new one';
    end if;
    perform sos_ops.change_limits(its_tag.tag_id, new."MAXIMUM_SAFE_VALUE", new."WARNNING_THRESHOLD",
                                  new."UPPER_SAFETY_LIMIT", its_tag.max_age_s, new."MAX_COUNT", new."ACTION",
                                  'updated in tag_list');
    return new;
end
$$;

-- As before, but that a refusal shows no more of a name than a line holds.
create or replace function sos_ops.find_or_create_set(wanted text[]) returns int
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
    select string_agg(distinct format('%L', left(w, 80)), ', ') into unknown
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

-- 3. Warning-change requests. -----------------------------------------------------------------------------------------

-- What the door hands on: it only appends, so two sessions of a partner never wait for each other here.
create table sos_ops.warning_ask (
    tag_id              int not null,
    requested_threshold double precision not null,
    ts                  timestamptz not null,
    received_at         timestamptz not null
);

-- How requests for a tag are judged; versions, the newest counts. A tag without a row has the defaults.
create table sos_ops.warning_request_rule (
    tag_id              int not null references sos_ops.tag,
    version             int not null,
    -- NULL: a tenth of the way from x100 to the threshold that a person last set, and twice that way.
    nearest_threshold   double precision check (abs(nearest_threshold) < 8.9e307),
    farthest_threshold  double precision check (abs(farthest_threshold) < 8.9e307),
    auto_tighten        boolean not null default false,
    min_interval_s      int not null default 3600 check (min_interval_s between 0 and 31536000),
    changed_by          text not null,
    changed_at          timestamptz not null default sos_ops.now(),
    primary key (tag_id, version)
);

-- What partners asked for, and what became of it. The same wish again is counted, not kept again.
create table sos_ops.warning_request (
    warning_request_id  bigint generated always as identity primary key,
    tag_id              int not null references sos_ops.tag,
    requested_threshold double precision not null,
    ts                  timestamptz not null,
    first_asked_at      timestamptz not null,
    last_asked_at       timestamptz not null,
    asked               bigint not null check (asked >= 1),
    limits_version      int not null,
    state               text not null check (state in ('proposed', 'applied', 'refused', 'approved', 'rejected')),
    rule                text,
    reason              text not null,
    decided_by          text,
    decided_at          timestamptz,
    applied_version     int,
    check ((state = 'proposed') = (decided_at is null) and (decided_at is null) = (decided_by is null)),
    check ((state in ('applied', 'approved')) = (applied_version is not null)),
    check ((state = 'refused') = (rule is not null))
);
create unique index warning_request_open on sos_ops.warning_request (tag_id) where state = 'proposed';
create index warning_request_of_tag on sos_ops.warning_request (tag_id, ts desc);

-- As before, but that a bad wish does not cost the result beside it: a WARNING_REQUEST that is no finite number is kept
-- as NULL. The row goes on to ask_for_threshold as it came, so that the wish is refused by its name.
create or replace function sos_ops.accept_result() returns trigger
language plpgsql volatile security definer
set search_path = pg_catalog
as $$
declare
    its_partner constant smallint := tg_argv[0];
    arrived constant timestamptz := sos_ops.now();
    its_tag int;
    its_request constant double precision :=
        case when abs(new."WARNING_REQUEST") < 'Infinity' then new."WARNING_REQUEST" end;
begin
    if new."TIMESTAMP" is null or new."TAG" is null or new."VALUE" is null then
        raise exception using errcode = 'not_null_violation',
            message = 'TIMESTAMP, TAG and VALUE must not be NULL: leave the row out when there is no result';
    elsif not abs(new."VALUE") < 'Infinity' then
        raise exception using errcode = 'check_violation',
            message = format('VALUE %s of tag %L at %s is no finite number: leave the row out when there is no result',
                             new."VALUE", left(new."TAG", 80), new."TIMESTAMP");
    -- No battery was measured before 1900, and times before year 1 cannot be read by Python.
    elsif not (new."TIMESTAMP" >= '1900-01-01+00' and new."TIMESTAMP" <= arrived + interval '60 seconds') then
        raise exception using errcode = 'check_violation',
            message = format('TIMESTAMP %s of tag %L is more than 60 s ahead of %s (or before 1900): check the clock',
                             new."TIMESTAMP", left(new."TAG", 80), arrived);
    end if;
    select t.tag_id into its_tag from sos_ops.tag as t
    where t.tag = new."TAG" and t.partner_id = its_partner and t.retired_at is null;
    if its_tag is null then
        raise exception using errcode = 'foreign_key_violation',
            message = format('%L is no tag of this table: it must stand in tag_list with this TABLE_NAME',
                             left(new."TAG", 80));
    end if;
    insert into sos_ops.result (tag_id, partner_id, ts, value, warning_request, received_at)
    values (its_tag, its_partner, new."TIMESTAMP", new."VALUE", its_request, arrived)
    on conflict do nothing;
    if not found then
        insert into sos_ops.result_set_aside (tag_id, partner_id, ts, value, warning_request, received_at, reason)
        select its_tag, its_partner, new."TIMESTAMP", new."VALUE", its_request, arrived,
               format('a different value (%s) for this tag and TIMESTAMP arrived first', r.value)
        from sos_ops.result as r
        where r.tag_id = its_tag and r.ts = new."TIMESTAMP" and r.partner_id = its_partner
          and (r.value, r.warning_request) is distinct from (new."VALUE", its_request)
        on conflict do nothing;
    end if;
    return new;
end
$$;

-- The second trigger of a partner's door; it fires after accept_result, for rows that were let in.
-- Trigger argument: the partner's id.
create function sos_ops.ask_for_threshold() returns trigger
language plpgsql volatile security definer
set search_path = pg_catalog
as $$
begin
    if new."WARNING_REQUEST" is not null then
        insert into sos_ops.warning_ask (tag_id, requested_threshold, ts, received_at)
        select t.tag_id, new."WARNING_REQUEST", new."TIMESTAMP", sos_ops.now()
        from sos_ops.tag as t
        where t.tag = new."TAG" and t.partner_id = tg_argv[0]::smallint and t.retired_at is null;
    end if;
    return new;
end
$$;

do $$
declare
    its_partner sos_ops.partner;
begin
    for its_partner in select * from sos_ops.partner loop
        execute format('create trigger ask_for_threshold instead of insert on keti.%I for each row '
                       'execute function sos_ops.ask_for_threshold(%L)', its_partner.name, its_partner.partner_id);
    end loop;
end
$$;

-- Makes a partner: its partition, its view keti.NAME, the door on it; or brings a retired one back. Identifiers are
-- quoted by format(%I) from a name that a check constraint has already restricted.
create or replace function sos_ops.add_partner(new_name text) returns smallint
language plpgsql volatile
set search_path = pg_catalog
as $$
declare
    its_id smallint;
begin
    if new_name is null or new_name !~ '^[a-z][a-z0-9_]{0,30}$' then
        raise exception using errcode = 'check_violation',
            message = format('partner name %L: use 1 to 31 of a-z, 0-9 and _, beginning with a letter', left(new_name, 80));
    elsif new_name in ('tag_list', 'tag_combination_map', 'sos') or new_name like 'pg\_%'
          or exists (select 1 from pg_get_keywords() as k where k.word = new_name) then
        raise exception using errcode = 'reserved_name',
            message = format('partner name %L is reserved or an SQL keyword: choose another', new_name);
    end if;
    update sos_ops.partner as p set retired_at = null
    where p.name = new_name and p.retired_at is not null returning p.partner_id into its_id;
    if found then
        return its_id;
    end if;
    insert into sos_ops.partner (name) values (new_name) returning partner_id into its_id;
    -- The name comes first: no other table, and no index of another partner's, ends in _result.
    execute format('create table sos_ops.%I partition of sos_ops.result for values in (%s)',
                   new_name || '_result', its_id);
    execute format(
        'create view keti.%I as select r.ts as "TIMESTAMP", t.tag::text as "TAG", r.value as "VALUE", '
        'r.warning_request as "WARNING_REQUEST" from sos_ops.%I as r join sos_ops.tag as t using (tag_id)',
        new_name, new_name || '_result');
    execute format(
        'create trigger accept_result instead of insert on keti.%I for each row '
        'execute function sos_ops.accept_result(%L)', new_name, its_id);
    execute format(
        'create trigger ask_for_threshold instead of insert on keti.%I for each row '
        'execute function sos_ops.ask_for_threshold(%L)', new_name, its_id);
    return its_id;
end
$$;

-- Retires a partner and all its tags, and with them the sets they belong to. Returns the number of tags.
create function sos_ops.retire_partner(its_name text) returns int
language plpgsql volatile
set search_path = pg_catalog
as $$
declare
    at_time timestamptz := sos_ops.lock_limits_for_change();
    ids int[];
begin
    update sos_ops.partner set retired_at = at_time where name = its_name and retired_at is null;
    select coalesce(array_agg(c.tag_id), '{}') into ids from sos_ops.tag_current as c where c.partner = its_name;
    update sos_ops.tag set retired_at = at_time where tag_id = any (ids);
    update sos_ops.tag_set set retired_at = at_time where tag_ids && ids and retired_at is null;
    return cardinality(ids);
end
$$;

-- 4. How partners are. ------------------------------------------------------------------------------------------------

create index result_set_aside_by_arrival on sos_ops.result_set_aside using brin (received_at);

-- One row per tag in use, as housekeeping last measured it: rows that arrived in the hour and the day before.
-- Lateness is received_at - TIMESTAMP in seconds; NULL where nothing arrived.
create table sos_ops.partner_health (
    tag_id               int primary key references sos_ops.tag,
    measured_at          timestamptz not null,
    hour_rows            bigint not null,
    hour_rows_per_minute double precision not null,
    hour_set_aside       bigint not null,
    hour_lateness_p50_s  double precision,
    hour_lateness_p95_s  double precision,
    day_rows             bigint not null,
    day_rows_per_minute  double precision not null,
    day_set_aside        bigint not null,
    day_lateness_p50_s   double precision,
    day_lateness_p95_s   double precision,
    newest_accepted      timestamptz
);

-- The same for every whole UTC hour, kept.
create table sos_ops.partner_health_hour (
    hour           timestamptz not null,
    tag_id         int not null references sos_ops.tag,
    rows           bigint not null,
    set_aside      bigint not null,
    lateness_p50_s double precision,
    lateness_p95_s double precision,
    primary key (hour, tag_id)
);

-- 5. What a partner sees: its own, whoever it is, in a schema of its own. ----------------------------------------------
-- Partners may not read their doors: keti.NAME takes rows and answers nothing. Here the login decides which rows show.
-- Barriers, so that no condition of the reader's is tried on another partner's rows.

create schema mine;

create view mine.result with (security_barrier) as
select r.ts as "TIMESTAMP", t.tag::text as "TAG", r.value as "VALUE", r.warning_request as "WARNING_REQUEST",
       r.received_at as "RECEIVED_AT",
       case r.state when 'A' then 'accepted' when 'S' then 'set aside' else 'new' end as "STATE",
       r.marks as "MARKS", r.reason as "REASON"
from sos_ops.result as r
join sos_ops.tag as t using (tag_id)
where r.partner_id = (select p.partner_id from sos_ops.partner as p where 'partner_' || p.name = session_user);

create view mine.set_aside with (security_barrier) as
select r.set_aside_id as "NUMBER", r.ts as "TIMESTAMP", t.tag::text as "TAG", r.value as "VALUE", r.warning_request as "WARNING_REQUEST",
       r.received_at as "RECEIVED_AT", r.reason as "REASON"
from (
    select set_aside_id, tag_id, partner_id, ts, value, warning_request, received_at, reason
    from sos_ops.result where state = 'S'
    union all
    select result_set_aside_id, tag_id, partner_id, ts, value, warning_request, received_at, reason
    from sos_ops.result_set_aside
) as r
join sos_ops.tag as t using (tag_id)
where r.partner_id = (select p.partner_id from sos_ops.partner as p where 'partner_' || p.name = session_user);

create view mine.tag_list with (security_barrier) as
select c.tag::text as "TAG", c.partner as "TABLE_NAME", c.action as "ACTION",
       c.warning_threshold as "WARNNING_THRESHOLD", c.maximum_safe_value as "MAXIMUM_SAFE_VALUE",
       c.upper_safety_limit as "UPPER_SAFETY_LIMIT", c.max_count as "MAX_COUNT", c.max_age_s as "MAX_AGE_S"
from sos_ops.tag_current as c
where 'partner_' || c.partner = session_user;

create view mine.warning_request with (security_barrier) as
select w.warning_request_id as "REQUEST", t.tag::text as "TAG", w.requested_threshold as "WARNING_REQUEST",
       w.ts as "TIMESTAMP", w.asked as "ASKED", case when o.over then 'ended' else w.state end as "STATE",
       case when o.over then 'the tag was retired before anybody decided' else w.reason end as "REASON",
       case when o.over then t.retired_at else w.decided_at end as "DECIDED_AT"
from sos_ops.warning_request as w
join sos_ops.tag as t using (tag_id)
-- A request is over with its tag; see select_warning_requests.sql.
cross join lateral (select w.state = 'proposed' and t.retired_at is not null as over) as o
where t.partner_id = (select p.partner_id from sos_ops.partner as p where 'partner_' || p.name = session_user);

create view mine.health with (security_barrier) as
select t.tag::text as "TAG", h.measured_at as "MEASURED_AT", h.hour_rows_per_minute as "ROWS_PER_MINUTE",
       h.hour_lateness_p50_s as "LATENESS_P50_S", h.hour_lateness_p95_s as "LATENESS_P95_S",
       h.hour_rows as "ROWS", h.hour_set_aside as "SET_ASIDE", h.newest_accepted as "NEWEST_ACCEPTED"
from sos_ops.partner_health as h
join sos_ops.tag as t using (tag_id)
where t.partner_id = (select p.partner_id from sos_ops.partner as p where 'partner_' || p.name = session_user);

-- 6. What everybody may do, taken back. --------------------------------------------------------------------------------

-- PostgreSQL lets everybody run every function. Here only the platform's login does; doors run by their triggers.
revoke execute on all functions in schema sos_ops from public;
alter default privileges revoke execute on functions from public;

-- Nor does anybody but the platform make temporary tables, where the database is its own; see store/logins.py.
do $$
begin
    if exists (select from pg_catalog.pg_database as d
               where d.datname = current_database() and pg_has_role(current_user, d.datdba, 'usage')) then
        execute format('grant connect, temporary on database %I to current_user', current_database());
        execute format('revoke temporary on database %I from public', current_database());
    end if;
end
$$;

-- Partners of before see their own rows from now on.
do $$
declare
    its_role name;
begin
    for its_role in
        select r.rolname from sos_ops.partner as p join pg_catalog.pg_roles as r on r.rolname = 'partner_' || p.name
    loop
        execute format('grant usage on schema mine to %I', its_role);
        execute format('grant select on all tables in schema mine to %I', its_role);
    end loop;
end
$$;

-- Whoever reaches the database may take advisory locks, and ours stop scoring; and large objects fill the disk.
-- Only a superuser can take these back; a partner's login on another's server is warned of (see store/logins.py).
do $$
declare
    its_function regprocedure;
begin
    if (select r.rolsuper from pg_catalog.pg_roles as r where r.rolname = current_user) then
        for its_function in
            select p.oid from pg_catalog.pg_proc as p
            where p.pronamespace = 'pg_catalog'::regnamespace
              and (p.proname like '%advisory%' or p.proname ~ '^lo_' or p.proname in ('lowrite', 'loread')
                   or p.proname = 'pg_logical_emit_message')
        loop
            execute format('grant execute on function %s to current_user', its_function);
            execute format('revoke execute on function %s from public', its_function);
        end loop;
    end if;
end
$$;
