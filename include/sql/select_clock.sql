-- The clock's setting.
select real_anchor, platform_anchor, rate from sos_ops.clock;
