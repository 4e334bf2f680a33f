-- What is given changes, NULL keeps what is.
with its_site as (
    insert into sos_ops.site (site) select %(site)s where %(site)s::text is not null on conflict do nothing
)
update sos_ops.device
set host = coalesce(%(host)s, host), port = coalesce(%(port)s, port), unit_id = coalesce(%(unit_id)s, unit_id),
    protocol_map = coalesce(%(protocol_map)s, protocol_map), site = coalesce(%(site)s, site)
where device_id = %(device_id)s;
