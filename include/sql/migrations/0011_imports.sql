-- Data sets from files: what was imported, how far, what was refused, and what their labels say.

create table sos_ops.import (
    import_id      int generated always as identity primary key,
    data_set       text not null,
    file_name      text not null,
    file_bytes     bigint not null,
    -- Of the whole text (unpacked) or Parquet file; known when all of it was read.
    content_sha256 text,
    mapping        jsonb not null,
    mapping_sha256 text not null,
    partner_id     smallint references sos_ops.partner,
    device_id      int references sos_ops.device,
    imported_by    text not null default sos_ops.actor(),
    began_at       timestamptz not null default sos_ops.now(),
    finished_at    timestamptz,
    report         jsonb,
    check ((partner_id is null) <> (device_id is null)),
    check (finished_at is null or (content_sha256 is not null and report is not null))
);
comment on column sos_ops.import.report is 'what was stored and refused, as `sos-ops import` printed it';
create index import_by_identity on sos_ops.import (mapping_sha256, file_bytes);

-- I: imported history, new like N, but no live run's concern: it is validated when its day is filled. So an import of
-- years neither holds up the minutes being decided nor pays for the index by which live runs find what is new.
alter table sos_ops.result drop constraint result_state_check;
alter table sos_ops.result add constraint result_state_check check (
    case state when 'A' then true
               when 'N' then decided_at is null
               when 'I' then decided_at is null
               when 'S' then reason is not null and set_aside_id is not null
               else false end);

-- A chunk is stored by several sessions ("lanes"), each with its part and this row in one transaction.
create table sos_ops.import_chunk (
    import_id      int not null references sos_ops.import on delete cascade,
    chunk          int not null,
    lane           smallint not null,
    -- Bytes of the text, or rows of the Parquet file.
    content_begin  bigint not null,
    content_end    bigint not null,
    first_line     bigint not null,
    line_count     bigint not null,
    prefix_sha256  text not null,
    stored         bigint not null,
    known          bigint not null,
    set_aside      bigint not null,
    not_kept       bigint not null,
    missing        bigint not null,
    first_at       timestamptz,
    last_at        timestamptz,
    primary key (import_id, chunk, lane)
);
create index import_chunk_by_time on sos_ops.import_chunk (last_at);
comment on column sos_ops.import_chunk.prefix_sha256 is 'of the text up to content_end, or of the whole Parquet file';
comment on column sos_ops.import_chunk.first_at is 'the earliest and latest time of its values';
comment on column sos_ops.import_chunk.not_kept is 'readings of a minute that had one: one a minute is kept';

-- Until an import is finished and its refused-rows file written.
create table sos_ops.import_refused (
    import_id   int not null references sos_ops.import on delete cascade,
    line        bigint not null,
    column_name text not null,
    reason      text not null,
    content     text not null
);
create index import_refused_by_import on sos_ops.import_refused (import_id, line);

-- What data sets say of a battery: from_at to to_at, both included. A label of one instant (from_at = to_at) counts
-- before one that spans it: rows out of order are kept one by one.
create table sos_ops.label (
    label_id  bigint generated always as identity primary key,
    import_id int not null references sos_ops.import on delete cascade,
    site      text not null references sos_ops.site,
    tag_id    int references sos_ops.tag,
    device_id int references sos_ops.device,
    from_at   timestamptz not null,
    to_at     timestamptz not null check (to_at >= from_at),
    anomalous boolean not null,
    label     text not null,
    row_count bigint not null check (row_count > 0),
    check (tag_id is null or device_id is null)
);
comment on column sos_ops.label.tag_id is 'whose label it is; NULL with device_id NULL: the whole site''s';
comment on column sos_ops.label.label is 'as the file writes it; what it means is in anomalous';
create index label_by_import on sos_ops.label (import_id, site, tag_id, device_id, to_at);
create index label_by_tag on sos_ops.label (tag_id, from_at) where tag_id is not null;
create index label_by_device on sos_ops.label (device_id, from_at) where device_id is not null;
create index label_by_site on sos_ops.label (site, from_at);
