-- What was noted of readings that were not kept, by point, taken away.
with taken as (
    delete from sos_ops.import_refused where import_id = %(import_id)s and reason = %(note)s
    returning column_name, content::jsonb as noted
)
select column_name, sum((noted ->> 'count')::bigint)::bigint, min((noted ->> 'smallest')::double precision),
       max((noted ->> 'largest')::double precision)
from taken group by column_name order by column_name collate "C";
