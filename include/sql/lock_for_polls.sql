-- One writer of polls at a time: gaps are opened and closed by what a statement sees, which a second one could change.
-- Whoever keeps the lock and goes idle is ended by the server, and nobody waits for it longer than that.
select set_config('lock_timeout', '15s', true), set_config('idle_in_transaction_session_timeout', '10s', true),
       pg_advisory_xact_lock(7308, 0);
