-- Events from another cluster may bear numbers of transactions that are still to come here: the
-- feed would keep them back until then. They get this transaction's, in the order of their ids.
-- Those of the past keep theirs, and stand before them as they did.
UPDATE projects_event SET xid = pg_current_xact_id() WHERE xid > pg_current_xact_id()
