-- Of the events that were not committed in a moment, and few others: the newest, so many at most.
-- The first of these in the feed's order, and how many they are. No row: there are none.
-- (By the column itself: `xid` alone would be the text above, in which 10000 comes before 9999.)
SELECT xid::text, id, count(*) OVER ()
FROM (
    SELECT xid, id
    FROM projects_event
    WHERE xid >= pg_snapshot_xmin(%s::pg_snapshot)
      AND xid < pg_snapshot_xmax(pg_current_snapshot())
    ORDER BY xid DESC, id DESC
    LIMIT %s
) AS newest
ORDER BY newest.xid, newest.id
LIMIT 1
