-- Gateways that the slow lane reads, with since when.
select host, port, since from sos_ops.gateway where slow order by host, port;
