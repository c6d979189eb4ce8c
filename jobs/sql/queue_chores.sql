-- Whether any retry is due, any wait too long, any job without a class.
SELECT EXISTS (SELECT 1 FROM jobs_job
               WHERE state = 'pending' AND not_before IS NOT NULL AND not_before <= now()),
       EXISTS (SELECT 1 FROM jobs_job
               WHERE state = 'pending' AND queue_until IS NOT NULL AND queue_until <= now()),
       EXISTS (SELECT 1 FROM jobs_job WHERE state = 'pending' AND queue_class_id IS NULL)
