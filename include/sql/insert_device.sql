-- A new device; its site is made with it.
with its_site as (
    insert into sos_ops.site (site) values (%(site)s) on conflict do nothing
)
insert into sos_ops.device (name, site, host, port, unit_id, protocol_map)
values (%(name)s, %(site)s, %(host)s, %(port)s, %(unit_id)s, %(protocol_map)s)
returning device_id;
