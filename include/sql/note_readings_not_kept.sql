-- Of every point, how many staged readings were not kept because their minute had another, and between what they lie.
-- As in judge_imported_readings.sql, verdict 'M'. Kept with the chunk, so that an import that is killed counts none twice.
insert into sos_ops.import_refused (import_id, line, column_name, reason, content)
select %(import_id)s, min(s.line), q.name, %(note)s,
       jsonb_build_object('count', count(*), 'smallest', min(coalesce(s.value, s.suspect_value)),
                          'largest', max(coalesce(s.value, s.suspect_value)))::text
from pg_temp.imported_reading as s
join sos_ops.reading as r on r.minute = s.minute and r.device_id = %(device_id)s and r.point_id = s.point_id
join sos_ops.poll as p on p.minute = s.minute and p.device_id = %(device_id)s
join sos_ops.point as q on q.point_id = s.point_id
where r.read_at <> s.read_at and p.reason like 'imported: %%'
group by q.name;
