-- All of the file was read. The labels of an earlier import of the same data are replaced by these.
with replaced as (
    delete from sos_ops.label as l using sos_ops.import as old, sos_ops.import as new
    where new.import_id = %(import_id)s and old.import_id = l.import_id and old.import_id < new.import_id
      and old.data_set = new.data_set and old.content_sha256 = %(content_sha256)s
), cleared as (
    delete from sos_ops.import_refused where import_id = %(import_id)s
)
update sos_ops.import
set finished_at = sos_ops.now(), content_sha256 = %(content_sha256)s, report = %(report)s
where import_id = %(import_id)s;
