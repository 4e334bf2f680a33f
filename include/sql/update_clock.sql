-- Platform time is %(platform)s when the machine's clock shows %(real)s, and runs %(rate)s times as fast.
update sos_ops.clock set real_anchor = %(real)s, platform_anchor = %(platform)s, rate = %(rate)s;
