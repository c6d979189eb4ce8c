-- Jobs go with all that is theirs: events, attempts, and of those the logs and readings. One
-- statement, so that nothing of them is read into this process first; the constraints are
-- checked at commit, when all of it is gone. What was run again from one of them stays.
WITH tries AS (
    SELECT id FROM jobs_attempt WHERE job_id = ANY(%(jobs)s)
), chunks AS (
    DELETE FROM jobs_logchunk WHERE attempt_id IN (SELECT id FROM tries)
), pages AS (
    DELETE FROM jobs_statpage WHERE attempt_id IN (SELECT id FROM tries)
), told AS (
    DELETE FROM projects_event WHERE subject_kind = 'job' AND subject_id = ANY(%(jobs)s)
), attempts AS (
    DELETE FROM jobs_attempt WHERE job_id = ANY(%(jobs)s)
), reruns AS (
    UPDATE jobs_job SET rerun_of_id = NULL
    WHERE rerun_of_id = ANY(%(jobs)s) AND NOT id = ANY(%(jobs)s)
)
DELETE FROM jobs_job WHERE id = ANY(%(jobs)s)
