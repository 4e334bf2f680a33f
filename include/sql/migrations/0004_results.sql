-- What partners' analyses say. Each partner has its own table (a partition) and its own door: the view keti.NAME.

-- No foreign keys: every row came through a door that looked its tag up, and history is loaded by the million.
create table sos_ops.result (
    tag_id          int not null,
    partner_id      smallint not null,
    ts              timestamptz not null,
    value           double precision not null check (abs(value) < 'Infinity'),
    warning_request double precision check (abs(warning_request) < 'Infinity'),
    received_at     timestamptz not null,
    primary key (tag_id, ts, partner_id)
) partition by list (partner_id);
create index result_by_arrival on sos_ops.result using brin (received_at);

-- Rows that reached us and do not count, with the reason. Nothing is lost.
create table sos_ops.result_set_aside (
    result_set_aside_id bigint generated always as identity primary key,
    tag_id          int not null,
    partner_id      smallint not null,
    ts              timestamptz not null,
    value           double precision,
    warning_request double precision,
    received_at     timestamptz not null default sos_ops.now(),
    reason          text not null,
    unique nulls not distinct (tag_id, ts, value, warning_request)
);

-- The first door: what a partner's INSERT or COPY into keti.NAME goes through.
-- Trigger argument: the partner's id.
create function sos_ops.accept_result() returns trigger
language plpgsql volatile security definer
set search_path = pg_catalog
as $$
declare
    its_partner constant smallint := tg_argv[0];
    arrived constant timestamptz := sos_ops.now();
    its_tag int;
begin
    if new."TIMESTAMP" is null or new."TAG" is null or new."VALUE" is null then
        raise exception using errcode = 'not_null_violation',
            message = 'TIMESTAMP, TAG and VALUE must not be NULL: leave the row out when there is no result';
    elsif not abs(new."VALUE") < 'Infinity' or not coalesce(abs(new."WARNING_REQUEST") < 'Infinity', true) then
        raise exception using errcode = 'check_violation',
            message = format('%s of tag %L at %s is no finite number: leave the row out when there is no result',
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
    values (its_tag, its_partner, new."TIMESTAMP", new."VALUE", new."WARNING_REQUEST", arrived)
    on conflict do nothing;
    if not found then
        insert into sos_ops.result_set_aside (tag_id, partner_id, ts, value, warning_request, received_at, reason)
        select its_tag, its_partner, new."TIMESTAMP", new."VALUE", new."WARNING_REQUEST", arrived,
               format('a different value (%s) for this tag and TIMESTAMP arrived first', r.value)
        from sos_ops.result as r
        where r.tag_id = its_tag and r.ts = new."TIMESTAMP" and r.partner_id = its_partner
          and (r.value, r.warning_request) is distinct from (new."VALUE", new."WARNING_REQUEST")
        on conflict do nothing;
    end if;
    return new;
end
$$;

-- Makes a partner: its partition, its view keti.NAME, the door on it. Identifiers are quoted by format(%I) from a
-- name that a check constraint has already restricted; this and the day partitions are the only DDL built at run time.
create function sos_ops.add_partner(new_name text) returns smallint
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
    return its_id;
end
$$;
