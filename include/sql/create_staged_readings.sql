-- Where readings decoded again wait to be compared with those that stand. A quality of NULL: the map has no such point
-- any more. Where `only_over_standing`, the reading is to take the place of one that stands, or not to be.
create temporary table staged_reading (
    minute timestamptz not null, device_id int not null, point_id int not null, read_at timestamptz not null,
    value double precision, suspect_value double precision, quality text, text_value text,
    map_id int not null, only_over_standing boolean not null default false
) on commit drop;
