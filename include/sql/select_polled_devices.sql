-- Devices that were polled for %(minute)s. A minute closed in advance (the clock was set back since) is no poll.
select device_id from sos_ops.poll where minute = %(minute)s and began_at is not null;
