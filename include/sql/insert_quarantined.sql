-- A device does not answer for these registers.
insert into sos_ops.quarantined_register (device_id, function, start, count, points, reason, since, checked_at,
                                          next_check)
values (%(device_id)s, %(function)s, %(start)s, %(count)s, %(points)s, %(reason)s, %(at)s, %(at)s, %(next_check)s);
