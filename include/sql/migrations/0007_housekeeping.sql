-- Until when housekeeping has looked for results that came more than five minutes late.
create table sos_ops.housekeeping (
    only_row           boolean primary key default true check (only_row),
    late_results_until timestamptz
);
insert into sos_ops.housekeeping default values;
