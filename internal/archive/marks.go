package archive

import "time"

// Mark says how the outcome of a case stands to the run before in which the case was not skipped.
type Mark string

// The marks. Only the newest outcome of a case has one: see Store.Cases.
const (
	// MarkNew means that it fails, and did not fail before.
	MarkNew Mark = "new"
	// MarkFailing means that it fails as it did before.
	MarkFailing Mark = "failing"
	// MarkFixed means that it passed, and failed before.
	MarkFixed Mark = "fixed"
	// MarkFlaky means that it passed after it had failed in the same run.
	MarkFlaky Mark = "flaky"
)

// RunRef names a run. UID and Name are empty if it is not kept any more.
type RunRef struct {
	UID, Name string
	Created   time.Time
}

// markColumns are what markOf needs to know of a case c. Whether it failed in the run before is asked of what is fixed only.
const markColumns = `coalesce(s.outcome, -1), coalesce(s.since_run_id, 0), coalesce(s.since_created, 0), coalesce(s.flips, 0),
	coalesce(f.uid, ''), coalesce(f.name, ''), CASE WHEN c.outcome = 0 AND s.since_run_id = c.run_id AND EXISTS (SELECT 1 FROM case_results e
		WHERE e.case_id = c.case_id AND e.created = c.created AND e.run_id = c.run_id AND (e.attempt, e.number) < (c.attempt, c.number)
			AND e.outcome IN (1, 2)) THEN 1 ELSE 0 END`

const markJoins = ` LEFT JOIN case_state s ON s.case_id = c.case_id AND s.run_id = c.run_id AND s.attempt = c.attempt
	LEFT JOIN runs f ON f.id = s.since_run_id`

// marking is what the columns say.
type marking struct {
	// outcome is the newest one of the case, if that is of this attempt; else -1. since is the run since which it ends so.
	outcome, since, sinceCreated, flips int64
	uid, name                           string
	// failedBefore means that the case failed before in the same run.
	failedBefore bool
}

func (m *marking) columns() []any {
	return []any{&m.outcome, &m.since, &m.sinceCreated, &m.flips, &m.uid, &m.name, &m.failedBefore}
}

// mark sets the marks of a case of a run.
func (m *marking) mark(c *CaseResult, run, outcome int64) {
	isNow := isBad(&caseRow{outcome: outcome})
	switch {
	case outcome == numberPassed && (c.Flaky || m.failedBefore):
		c.Mark = MarkFlaky
	case m.outcome < 0 || outcome == numberSkipped || isNow != isBad(&caseRow{outcome: m.outcome}):
	case isNow && m.since == run:
		c.Mark = MarkNew
	case isNow:
		c.Mark, c.FailingSince = MarkFailing, RunRef{m.uid, m.name, timeOf(m.sinceCreated)}
	case m.since == run && m.flips > 0:
		c.Mark = MarkFixed
	}
}
