-- Results on their way in, where some of them stand already.
create temporary table if not exists staged_result (
    tag_id int not null,
    ts     timestamptz not null,
    value  double precision not null,
    line   bigint not null
) on commit delete rows;
