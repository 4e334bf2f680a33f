-- Schema keti: the technical document's relations, so that its partners' writers and its script run unchanged.

create view keti.tag_list as
select c.tag::text as "TAG", c.partner as "TABLE_NAME", c.action as "ACTION",
       c.warning_threshold as "WARNNING_THRESHOLD", c.maximum_safe_value as "MAXIMUM_SAFE_VALUE",
       c.upper_safety_limit as "UPPER_SAFETY_LIMIT", c.max_count as "MAX_COUNT"
from sos_ops.tag_current as c;
alter view keti.tag_list alter column "UPPER_SAFETY_LIMIT" set default 0.8;
alter view keti.tag_list alter column "MAX_COUNT" set default 2;

create function sos_ops.change_tag_list() returns trigger
language plpgsql volatile
set search_path = pg_catalog
as $$
declare
    its_tag sos_ops.tag_current;
begin
    if tg_op = 'INSERT' then
        perform sos_ops.add_tag(new."TAG", new."TABLE_NAME", new."MAXIMUM_SAFE_VALUE", new."WARNNING_THRESHOLD",
                                new."UPPER_SAFETY_LIMIT", null, new."MAX_COUNT", new."ACTION");
        return new;
    end if;
    select * into its_tag from sos_ops.tag_current as c where c.tag = old."TAG";
    if tg_op = 'DELETE' then
        perform sos_ops.retire_tag(its_tag.tag_id);
        return old;
    end if;
    if (new."TAG", new."TABLE_NAME") is distinct from (old."TAG", old."TABLE_NAME") then
        raise exception using errcode = 'feature_not_supported',
            message = 'TAG and TABLE_NAME of a tag cannot change: delete it and insert a new one';
    end if;
    perform sos_ops.change_limits(its_tag.tag_id, new."MAXIMUM_SAFE_VALUE", new."WARNNING_THRESHOLD",
                                  new."UPPER_SAFETY_LIMIT", its_tag.max_age_s, new."MAX_COUNT", new."ACTION");
    return new;
end
$$;
create trigger change_tag_list instead of insert or update or delete on keti.tag_list
for each row execute function sos_ops.change_tag_list();

create view keti.tag_combination_map as
select s.set_id as "SET_ID",
       (select array_agg(t.tag::text order by t.tag) from sos_ops.tag as t where t.tag_id = any (s.tag_ids)) as "TAG_SET"
from sos_ops.tag_set as s
where s.retired_at is null;

create function sos_ops.change_tag_combination_map() returns trigger
language plpgsql volatile
set search_path = pg_catalog
as $$
begin
    if tg_op = 'DELETE' then
        perform sos_ops.retire_set(old."SET_ID");
        return old;
    elsif tg_op = 'UPDATE' then
        raise exception using errcode = 'feature_not_supported',
            message = 'the tags of a set cannot change: delete the row and insert another combination';
    end if;
    -- A SET_ID given by the writer is not taken: the same tags are the same set, whoever lists them.
    new."SET_ID" := sos_ops.find_or_create_set(new."TAG_SET");
    return new;
end
$$;
create trigger change_tag_combination_map instead of insert or update or delete on keti.tag_combination_map
for each row execute function sos_ops.change_tag_combination_map();

create view keti.sos as
select s.minute as "TIMESTAMP", s.value as "VALUE", s.set_id as "SET_ID",
       (select json_object_agg(t.tag, f.score order by t.tag)
        from sos_ops.tag_set as g
        join sos_ops.tag as t on t.tag_id = any (g.tag_ids)
        left join sos_ops.tag_score as f on f.tag_id = t.tag_id and f.minute = s.minute
        where g.set_id = s.set_id) as "F_VALUE"
from sos_ops.sos as s;

-- What the document's script inserts is kept apart and read by nothing of the platform.
create table sos_ops.sos_from_script (
    "TIMESTAMP" timestamptz,
    "VALUE"     double precision,
    "SET_ID"    int,
    "F_VALUE"   json,
    inserted_by text not null default session_user,
    inserted_at timestamptz not null default sos_ops.now()
);

create function sos_ops.keep_script_row() returns trigger
language plpgsql volatile security definer
set search_path = pg_catalog
as $$
begin
    if tg_op <> 'INSERT' then
        raise exception using errcode = 'feature_not_supported',
            message = 'decided minutes cannot be changed or deleted here: sos-ops backfill decides them again';
    end if;
    insert into sos_ops.sos_from_script ("TIMESTAMP", "VALUE", "SET_ID", "F_VALUE")
    values (new."TIMESTAMP", new."VALUE", new."SET_ID", new."F_VALUE");
    return new;
end
$$;
create trigger keep_script_row instead of insert or update or delete on keti.sos
for each row execute function sos_ops.keep_script_row();
