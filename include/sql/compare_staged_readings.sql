-- Per point: how many staged readings differ from those that stand and how many are new, how many cannot be decoded and
-- how many are to go, the largest change, and the first that differs, before and after.
select p.name, count(*) filter (where r.minute is not null and s.quality <> 'not_decodable'),
       count(*) filter (where r.minute is null and s.quality <> 'not_decodable'),
       count(*) filter (where s.quality = 'not_decodable'), count(*) filter (where s.quality is null),
       max(abs(s.value - r.value)),
       (array_agg(coalesce(r.value::text, r.text_value, '-') || case r.quality when 'good' then '' else format(' (%%s)', r.quality) end
                  order by s.minute) filter (where r.minute is not null))[1],
       (array_agg(coalesce(s.value::text, s.text_value, '-') || case s.quality when 'good' then ''
                      else format(' (%%s)', coalesce(s.quality, 'removed')) end
                  order by s.minute) filter (where r.minute is not null))[1]
from pg_temp.staged_reading as s
join sos_ops.point as p using (point_id)
left join sos_ops.reading as r
  on r.minute = s.minute and r.device_id = s.device_id and r.point_id = s.point_id
  and r.minute between %(first)s and %(until)s
where r.minute is null
   or (r.value, r.suspect_value, r.quality, r.text_value)
      is distinct from (s.value, s.suspect_value, s.quality, s.text_value)
group by p.name
order by p.name;
