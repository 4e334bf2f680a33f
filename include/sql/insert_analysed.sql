-- These minutes are analysed by %(engine)s.
insert into sos_ops.analysed (engine, minute)
select %(engine)s, unnest(%(minutes)s::timestamptz[]) on conflict do nothing;
