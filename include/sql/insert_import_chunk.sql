-- A lane has stored its part of a chunk.
insert into sos_ops.import_chunk (import_id, chunk, lane, content_begin, content_end, first_line, line_count,
                                  prefix_sha256, stored, known, set_aside, not_kept, missing, first_at, last_at)
values (%(import_id)s, %(chunk)s, %(lane)s, %(begin)s, %(end)s, %(first_line)s, %(line_count)s, %(digest)s,
        %(stored)s, %(known)s, %(set_aside)s, %(not_kept)s, %(missing)s,
        %(first_at)s, %(last_at)s);
