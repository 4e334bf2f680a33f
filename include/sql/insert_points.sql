-- Names of points that are new.
insert into sos_ops.point (name) select unnest(%(names)s::text[]) on conflict do nothing;
