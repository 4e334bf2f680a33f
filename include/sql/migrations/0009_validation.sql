-- The second door: a result lands as new and counts only when validation has accepted it.
-- States: N new, A accepted, S set aside. The row keeps its place; a second value for a TIMESTAMP goes to result_set_aside.

-- Until now passing the first door was acceptance: what stands stays accepted. A default costs no rewrite.
alter table sos_ops.result
    add column state "char" not null default 'A',
    add column marks text[],
    add column reason text,
    add column decided_at timestamptz,
    add column set_aside_id bigint,
    -- One for all, as history is loaded by the million.
    add constraint result_state_check check (
        case state when 'A' then true
                   when 'N' then decided_at is null
                   when 'S' then reason is not null and set_aside_id is not null
                   else false end);
alter table sos_ops.result alter column state set default 'N';
comment on column sos_ops.result.marks is 'findings that did not keep it from counting';
comment on column sos_ops.result.reason is 'why it was set aside, or what is doubtful about it although it counts';
comment on column sos_ops.result.set_aside_id is 'its number in `sos-ops quarantine`, from the sequence of result_set_aside';

-- Housekeeping looks for results that began to count late by the time of the decision. Older ones count by arrival.
update sos_ops.result set decided_at = received_at
where received_at >= (select h.late_results_until from sos_ops.housekeeping as h) - interval '1 hour';

create index result_new on sos_ops.result (ts) where state = 'N';
create index result_aside on sos_ops.result (ts) where state = 'S';
create index result_by_set_aside_id on sos_ops.result (set_aside_id) where set_aside_id is not null;
-- What began to count later than a live run might bring in. Three minutes of the five: see select_late_hours.sql.
create index result_counted_late on sos_ops.result (decided_at)
where state = 'A' and decided_at - ts > interval '3 minutes';

-- Second values that no run of validation has counted yet.
alter table sos_ops.result_set_aside add column counted_at timestamptz;
update sos_ops.result_set_aside set counted_at = received_at;
create index result_set_aside_uncounted on sos_ops.result_set_aside (result_set_aside_id) where counted_at is null;
create index result_set_aside_by_time on sos_ops.result_set_aside (ts);

-- A tag's own tests, each NULL unless somebody set it. The newest version counts.
create table sos_ops.tag_checks (
    tag_id          int not null references sos_ops.tag,
    version         int not null,
    plausible_low   double precision check (abs(plausible_low) < 'Infinity'),
    plausible_high  double precision check (abs(plausible_high) < 'Infinity'),
    max_rate        double precision check (max_rate > 0 and max_rate < 'Infinity'),
    stuck_minutes   double precision check (stuck_minutes > 0 and stuck_minutes <= 1440),
    changed_by      text not null default sos_ops.actor(),
    changed_at      timestamptz not null default sos_ops.now(),
    why             text not null,
    primary key (tag_id, version),
    constraint plausible_range_has_a_width check (plausible_low < plausible_high)
);
comment on column sos_ops.tag_checks.max_rate is 'largest believable change, in the unit of the value per minute';
comment on column sos_ops.tag_checks.stuck_minutes is 'a noisy value that is bit-identical for so long is stuck';

create view sos_ops.tag_checks_current as
select distinct on (c.tag_id) c.* from sos_ops.tag_checks as c order by c.tag_id, c.version desc;

create table sos_ops.validation_run (
    run_id    bigint generated always as identity primary key,
    ran_at    timestamptz not null default sos_ops.now(),
    accepted  int not null,
    marked    int not null,
    set_aside int not null,
    undecided int not null,
    failures  text[] not null
);
comment on column sos_ops.validation_run.undecided is 'rows that a broken suite left new';
create index validation_run_by_time on sos_ops.validation_run (ran_at);

-- What a run found: kind is the name its expectation gives it. minute is the newest minute concerned.
create table sos_ops.finding (
    finding_id bigint generated always as identity primary key,
    run_id     bigint not null references sos_ops.validation_run on delete cascade,
    minute     timestamptz,
    partner_id smallint references sos_ops.partner,
    tag_id     int references sos_ops.tag,
    kind       text not null,
    count      int not null check (count > 0),
    sentence   text not null
);
create index finding_by_run on sos_ops.finding (run_id);

-- Until which minute empty minutes were looked for.
create table sos_ops.validation_progress (
    only_row          boolean primary key default true check (only_row),
    empty_until       timestamptz
);
insert into sos_ops.validation_progress default values;

-- What people decided about set-aside rows. Nothing here is ever changed or removed.
create table sos_ops.set_aside_decision (
    decision_id     bigint generated always as identity primary key,
    set_aside_id    bigint not null,
    decision        text not null check (decision in ('accepted', 'rejected', 'replaced')),
    tag_id          int not null,
    partner_id      smallint not null,
    ts              timestamptz not null,
    value           double precision not null,
    warning_request double precision,
    received_at     timestamptz not null,
    reason          text not null,
    why             text not null check (why ~ '\S'),
    decided_by      text not null default sos_ops.actor(),
    decided_at      timestamptz not null default sos_ops.now()
);
comment on column sos_ops.set_aside_decision.reason is 'why it had been set aside';
create index set_aside_decision_by_id on sos_ops.set_aside_decision (set_aside_id);
create index set_aside_decision_by_row on sos_ops.set_aside_decision (tag_id, ts);

create function sos_ops.refuse_change() returns trigger
language plpgsql volatile
set search_path = pg_catalog
as $$
begin
    raise exception using errcode = 'feature_not_supported',
        message = format('%s only grows: nothing in it is changed or removed', tg_table_name);
end
$$;
create trigger only_grows before update or delete or truncate on sos_ops.set_aside_decision
for each statement execute function sos_ops.refuse_change();

-- V: results of the time reached us and are not validated yet. Every row that stands meets the narrower check.
alter table sos_ops.tag_score drop constraint tag_score_missing_check;
alter table sos_ops.tag_score add constraint tag_score_missing_check check (missing in ('N', 'S', 'A', 'V')) not valid;
