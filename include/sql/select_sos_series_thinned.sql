-- Of every %(bucket_s)s seconds of a set's minutes in [%(since)s, %(until)s]: the lowest and the highest bound, the
-- first minute without SoS, and of all the newest. A gap and an incident stay visible however long the span.
with minute as (
    select s.minute, s.value, s.upper, s.band,
           floor(extract(epoch from s.minute - %(since)s::timestamptz) / %(bucket_s)s::double precision) as bucket
    from sos_ops.sos as s
    where s.set_id = %(set_id)s and s.minute between %(since)s and %(until)s
), kept as (
    (select distinct on (bucket) minute, value, upper, band from minute order by bucket, upper, minute)
    union
    (select distinct on (bucket) minute, value, upper, band from minute order by bucket, upper desc, minute)
    union
    (select distinct on (bucket) minute, value, upper, band from minute where value is null order by bucket, minute)
    union
    (select minute, value, upper, band from minute order by minute desc limit 1)
)
select minute, value, upper, band from kept order by minute;
