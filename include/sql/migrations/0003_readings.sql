-- What devices said: one poll outcome per device and minute, and the points it brought.

create table sos_ops.poll (
    minute      timestamptz not null,
    device_id   int not null references sos_ops.device,
    -- Minutes that were not polled in a row, for one reason, are one row: minute to last_minute.
    last_minute timestamptz not null check (last_minute >= minute),
    began_at    timestamptz,
    ended_at    timestamptz,
    outcome     text not null check (outcome in ('complete', 'partial', 'failed')),
    reason      text,
    primary key (minute, device_id),
    check (outcome = 'complete' or reason is not null)
);
create index poll_by_device on sos_ops.poll (device_id, last_minute desc);

create table sos_ops.reading (
    minute        timestamptz not null,
    device_id     int not null,
    point_id      int not null,
    read_at       timestamptz not null,
    value         double precision check (abs(value) < 'Infinity'),
    -- What was read but set aside, because it was unlikely and pointed to safety.
    suspect_value double precision,
    quality       text not null,
    primary key (minute, device_id, point_id)
) partition by range (minute);

-- Minutes whose polls the engines have not analysed yet are found by this mark.
create table sos_ops.analysed (
    engine text not null,
    minute timestamptz not null,
    primary key (engine, minute)
);
