-- Devices that could still have been read in [%(first)s, %(last)s] were not: engines that waited for them look again.
update sos_ops.read_minute set changes = changes + 1, changed_at = sos_ops.now()
where minute between %(first)s and %(last)s;
