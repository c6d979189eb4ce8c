-- Whether an engine process has something to read for its providers: attempts just placed,
-- wishes to cancel, requests of web. Asked each second, nearly always without any.
SELECT EXISTS (SELECT FROM jobs_attempt
               WHERE ended_at IS NULL AND phase = 'placed' AND provider_id = ANY(%(providers)s)),
       EXISTS (SELECT FROM jobs_job
               WHERE cancel_requested_at IS NOT NULL AND state IN ('scheduled', 'running')
                 AND provider_id = ANY(%(providers)s)),
       EXISTS (SELECT FROM providers_enginerequest
               WHERE status = 'waiting' AND deadline > now()
                 AND provider_id = ANY(%(providers)s))
