-- Readings on their way in.
create temporary table if not exists imported_reading (
    minute        timestamptz not null,
    point_id      int not null,
    read_at       timestamptz not null,
    value         double precision,
    suspect_value double precision,
    quality       int not null,
    line          bigint not null
) on commit delete rows;
