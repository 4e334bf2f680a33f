-- The set in use of exactly these tags, in any order.
select s.set_id from sos_ops.tag_set as s
where s.retired_at is null
  and s.tag_ids = (select array_agg(t.tag_id order by t.tag collate "C")
                   from sos_ops.tag as t where t.tag = any (%(tags)s::text[]) and t.retired_at is null);
