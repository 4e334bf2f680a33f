-- Every point's id by name.
select name, point_id from sos_ops.point;
