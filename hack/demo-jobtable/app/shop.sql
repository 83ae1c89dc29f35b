-- The application's own table. The second user is for TestRun's program.
CREATE TABLE IF NOT EXISTS job (
  id serial,
  test_id integer,
  status varchar DEFAULT 'pending',
  created timestamp DEFAULT now(),
  data varchar
);
DO $$ BEGIN CREATE ROLE testrun LOGIN PASSWORD 'demo'; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
GRANT SELECT, UPDATE (status, data) ON job TO testrun;
CREATE INDEX IF NOT EXISTS job_status ON job (status, id);
