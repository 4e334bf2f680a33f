-- A run of validation, and its number.
insert into sos_ops.validation_run (ran_at, accepted, marked, set_aside, undecided, failures)
values (%(ran_at)s, %(accepted)s, %(marked)s, %(set_aside)s, %(undecided)s, %(failures)s::text[])
returning run_id;
