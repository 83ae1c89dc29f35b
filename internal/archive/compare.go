package archive

import (
	"context"
	"fmt"
	"time"

	"github.com/testrun-dev/testrun/internal/results"
)

// CompareQuery selects the cases of an attempt that ended otherwise in an attempt of another run.
type CompareQuery struct {
	UID         string
	Attempt     int32
	With        string
	WithAttempt int32
	// Gone and After are those of the last difference of the page before.
	Gone  bool
	After int64
	Limit int
}

// Difference is a case that ended otherwise. Gone means that only the other run has it: then Number is that in the other run.
type Difference struct {
	Gone        bool
	Number      int64
	Suite, Name string
	// Outcome is that in the run, and Was that in the other one. Each is empty if that run does not have the case.
	Outcome, Was results.Outcome
	Duration     time.Duration
	Message      string
}

// Compare lists cases that ended otherwise: first those of the run by their numbers, then those that only the other run has.
func (s *Store) Compare(ctx context.Context, query CompareQuery) (found []Difference, more bool, err error) {
	var sides [2]struct{ id, created int64 }
	for i, uid := range []string{query.UID, query.With} {
		if err := s.get(ctx, "SELECT id, created FROM runs WHERE uid = $1", []any{uid}, &sides[i].id, &sides[i].created); err != nil {
			return nil, false, fmt.Errorf("run %s: %w", uid, err)
		}
	}
	limit, after := pageSize(query.Limit)+1, query.After
	if !query.Gone {
		args := []any{sides[0].created, sides[0].id, query.Attempt, after, limit, sides[1].created, sides[1].id, query.WithAttempt}
		if found, err = s.differences(ctx, listChanged, args, false); err != nil {
			return nil, false, err
		}
		after = 0
	}
	if len(found) < limit {
		args := []any{sides[1].created, sides[1].id, query.WithAttempt, after, limit - len(found), sides[0].created, sides[0].id, query.Attempt}
		gone, err := s.differences(ctx, listGone, args, true)
		if err != nil {
			return nil, false, err
		}
		found = append(found, gone...)
	}
	found, more = cutPage(found, query.Limit)
	return found, more, nil
}

// If a run has a case twice, the last one counts.
const (
	compareColumns = `SELECT c.number, d.suite, d.name, c.outcome, coalesce(o.outcome, -1), c.duration, coalesce(t.message, '')
		FROM case_results c JOIN case_defs d ON d.id = c.case_id LEFT JOIN details t ON t.id = c.detail_id
		LEFT JOIN case_results o ON o.created = $6 AND o.run_id = $7 AND o.attempt = $8 AND o.number = (SELECT max(m.number) FROM case_results m
			WHERE m.case_id = c.case_id AND m.created = $6 AND m.run_id = $7 AND m.attempt = $8)
		WHERE c.created = $1 AND c.run_id = $2 AND c.attempt = $3 AND c.number > $4`
	listChanged = compareColumns + " AND (o.outcome IS NULL OR o.outcome <> c.outcome) ORDER BY c.number LIMIT $5"
	listGone    = compareColumns + " AND o.outcome IS NULL ORDER BY c.number LIMIT $5"
)

func (s *Store) differences(ctx context.Context, statement string, args []any, gone bool) ([]Difference, error) {
	var found []Difference
	err := s.list(ctx, statement, args, func(scan scanner) error {
		d := Difference{Gone: gone}
		var outcome, other, duration int64
		err := scan(&d.Number, &d.Suite, &d.Name, &outcome, &other, &duration, &d.Message)
		d.Outcome, d.Duration = outcomeOf(outcome), time.Duration(duration)*time.Microsecond
		if other >= 0 {
			d.Was = outcomeOf(other)
		}
		if gone {
			d.Outcome, d.Was, d.Duration, d.Message = "", d.Outcome, 0, ""
		}
		found = append(found, d)
		return err
	})
	return found, err
}
