-- Every wish for a threshold that waits, taken away: of each tag the newest, and how many there were.
with taken as (delete from sos_ops.warning_ask returning tag_id, requested_threshold, ts, received_at)
select distinct on (tag_id) tag_id, requested_threshold, ts, received_at,
       count(*) over (partition by tag_id), min(received_at) over (partition by tag_id)
from taken order by tag_id, ts desc, received_at desc, requested_threshold;
