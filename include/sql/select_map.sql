-- One version of a map.
select map_id, content, sha256 from sos_ops.protocol_map where name = %(name)s and version = %(version)s;
