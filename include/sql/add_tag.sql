-- A new tag with its first limits.
select sos_ops.add_tag(%(tag)s, %(partner)s, %(x100)s, %(xl)s, %(l)s, %(max_age_s)s::int, %(max_count)s::int,
                       %(action)s, %(unit)s, %(why)s);
