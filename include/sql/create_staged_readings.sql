-- Where readings decoded again wait to be compared with those that stand.
create temporary table staged_reading (
    minute timestamptz not null, device_id int not null, point_id int not null, read_at timestamptz not null,
    value double precision, suspect_value double precision, quality text not null, text_value text,
    map_id int not null
) on commit drop;
