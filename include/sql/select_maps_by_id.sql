-- Maps by their id.
select map_id, content from sos_ops.protocol_map where map_id = any (%(map_ids)s::int[]);
