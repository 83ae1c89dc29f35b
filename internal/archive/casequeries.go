package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/testrun-dev/testrun/internal/results"
)

// CaseQuery selects cases of an attempt.
type CaseQuery struct {
	UID     string
	Attempt int32
	// Outcomes are those that are wanted; none means all.
	Outcomes []results.Outcome
	// After is the number of the last case of the page before.
	After int64
	Limit int
}

// Cases lists cases of an attempt by their numbers. A case has a Mark as long as no newer run, and no later attempt, has told how it ended.
func (s *Store) Cases(ctx context.Context, query CaseQuery) (cases []CaseResult, more bool, err error) {
	var id, created int64
	if err := s.get(ctx, "SELECT id, created FROM runs WHERE uid = $1", []any{query.UID}, &id, &created); err != nil {
		return nil, false, fmt.Errorf("run %s: %w", query.UID, err)
	}
	args := []any{created, id, query.Attempt, query.After, pageSize(query.Limit) + 1}
	err = s.list(ctx, listCases(s.dialect, query.Outcomes), args, func(scan scanner) error {
		var c CaseResult
		var outcome, duration int64
		var m marking
		err := scan(append(m.columns(), &c.Number, &c.Suite, &c.Name, &outcome, &duration, &c.Flaky, &c.Location, &c.Message)...)
		c.Outcome, c.Duration = outcomeOf(outcome), time.Duration(duration)*time.Microsecond
		m.mark(&c, id, outcome)
		cases = append(cases, c)
		return err
	})
	cases, more = cutPage(cases, query.Limit)
	return cases, more, err
}

func listCases(in dialect, outcomes []results.Outcome) string {
	var numbers []string
	passed := false
	for _, outcome := range outcomes {
		number := outcomeNumber(outcome)
		passed = passed || number == numberPassed
		numbers = append(numbers, strconv.FormatInt(number, 10))
	}
	condition, index := "", ""
	if len(numbers) > 0 {
		condition = " AND c.outcome IN (" + strings.Join(numbers, ", ") + ")"
		if !passed {
			condition += " AND c.outcome > 0" // An index has only those.
			if in == sqlite {
				index = " INDEXED BY case_results_not_passed" // SQLite takes the primary key to be as good.
			}
		}
	}
	return `SELECT ` + markColumns + `, c.number, d.suite, d.name, c.outcome, c.duration, c.flaky, coalesce(t.location, ''), coalesce(t.message, '')
		FROM case_results c` + index + ` JOIN case_defs d ON d.id = c.case_id LEFT JOIN details t ON t.id = c.detail_id` + markJoins + `
		WHERE c.created = $1 AND c.run_id = $2 AND c.attempt = $3 AND c.number > $4` + condition + ` ORDER BY c.number LIMIT $5`
}

// CaseHistory lists how a case ended, the newest first. The page after this one begins after the Key of its last outcome.
func (s *Store) CaseHistory(ctx context.Context, name CaseName, after HistoryKey, limit int) (outcomes []CaseOutcome, more bool, err error) {
	id, err := s.caseID(ctx, name)
	if err != nil {
		return nil, false, err
	}
	created, run := int64(math.MaxInt64), int64(0)
	if after != (HistoryKey{}) {
		created = microseconds(after.Created)
		// If the run is deleted meanwhile, the page begins with what is older.
		if err := s.get(ctx, "SELECT id FROM runs WHERE uid = $1", []any{after.UID}, &run); err != nil && !errors.Is(err, ErrNotFound) {
			return nil, false, err
		}
	}
	args := []any{id, created, run, after.Attempt, after.Number, pageSize(limit) + 1}
	err = s.list(ctx, listHistory, args, func(scan scanner) error {
		var o CaseOutcome
		var created, outcome, duration int64
		err := scan(&o.UID, &o.Run, &o.Attempt, &o.Number, &created, &outcome, &o.Flaky, &duration, &o.Message)
		o.Created, o.Outcome, o.Duration = timeOf(created), outcomeOf(outcome), time.Duration(duration)*time.Microsecond
		outcomes = append(outcomes, o)
		return err
	})
	outcomes, more = cutPage(outcomes, limit)
	return outcomes, more, err
}

const listHistory = `SELECT r.uid, r.name, c.attempt, c.number, c.created, c.outcome, c.flaky, c.duration, coalesce(t.message, '')
	FROM case_results c JOIN runs r ON r.id = c.run_id LEFT JOIN details t ON t.id = c.detail_id
	WHERE c.case_id = $1 AND c.created <= $2 AND (c.created, c.run_id, c.attempt, c.number) < ($2, $3, $4, $5)
	ORDER BY c.created DESC, c.run_id DESC, c.attempt DESC, c.number DESC LIMIT $6`

func (s *Store) caseID(ctx context.Context, name CaseName) (int64, error) {
	name = name.storable()
	var id int64
	err := s.get(ctx, "SELECT id FROM case_defs WHERE hash = $1", []any{name.hash()}, &id)
	if err != nil {
		return 0, fmt.Errorf("case %q of %s/%s: %w", name.Name, name.Namespace, name.Series, err)
	}
	return id, nil
}

// FlakyCase is a case whose outcome changes.
type FlakyCase struct {
	CaseName
	ID int64
	// Heat orders the cases: a flip counts half as much after a week. It is a logarithm, and says nothing by itself.
	Heat float64
	// Flips is how often the outcome was another one than before, about. Streak is how often it has been the last one since.
	Flips, Streak int64
	LastOutcome   results.Outcome
	// LastUID and LastRun are empty if that run is not kept any more.
	LastUID, LastRun string
	LastCreated      time.Time
}

// Key is the place of the case in the list.
func (c *FlakyCase) Key() FlakyKey { return FlakyKey{c.Heat, c.ID} }

// Recent is how often its outcome changed, where a change counts half as much after each week.
func (c *FlakyCase) Recent(now time.Time) float64 {
	return math.Exp2(c.Heat - float64(now.UnixMicro())/float64(halfLife.Microseconds()))
}

// FlakyKey is a place in the list of flaky cases. The zero key is before the first.
type FlakyKey struct {
	Heat float64
	ID   int64
}

// Flaky lists the cases that changed their outcome most and last. Of the filter, the namespaces and the series count. The page after this
// one begins after the Key of its last case.
func (s *Store) Flaky(ctx context.Context, filter Filter, after FlakyKey, limit int) (cases []FlakyCase, more bool, err error) {
	namespaces, all := filter.namespaces()
	if all {
		if namespaces, err = s.Namespaces(ctx); err != nil {
			return nil, false, err
		}
	}
	if after == (FlakyKey{}) {
		after = FlakyKey{math.MaxFloat64, 0}
	}
	for _, namespace := range namespaces {
		args := []any{namespace, after.Heat, after.ID, pageSize(limit) + 1}
		if filter.Series != "" {
			args = append(args, plain(filter.Series))
		}
		found, err := s.flakyOf(ctx, listFlaky(filter.Series != ""), args)
		if err != nil {
			return nil, false, err
		}
		cases = hottest(append(cases, found...), pageSize(limit)+1)
	}
	cases, more = cutPage(cases, limit)
	return cases, more, nil
}

func hottest(cases []FlakyCase, limit int) []FlakyCase {
	slices.SortFunc(cases, func(x, y FlakyCase) int { return cmp.Or(cmp.Compare(y.Heat, x.Heat), cmp.Compare(y.ID, x.ID)) })
	return cases[:min(len(cases), limit)]
}

func listFlaky(ofSeries bool) string {
	condition := ""
	if ofSeries {
		condition = " AND f.series = $5"
	}
	return `SELECT f.case_id, d.namespace, d.series, d.suite, d.name, f.heat, f.flips, f.streak, f.outcome, coalesce(r.uid, ''),
			coalesce(r.name, ''), f.created
		FROM case_state f JOIN case_defs d ON d.id = f.case_id LEFT JOIN runs r ON r.id = f.run_id
		WHERE f.namespace = $1 AND f.flips > 0 AND (f.heat, f.case_id) < ($2, $3)` + condition + `
		ORDER BY f.heat DESC, f.case_id DESC LIMIT $4`
}

func (s *Store) flakyOf(ctx context.Context, statement string, args []any) ([]FlakyCase, error) {
	var cases []FlakyCase
	err := s.list(ctx, statement, args, func(scan scanner) error {
		var c FlakyCase
		var outcome, created int64
		err := scan(&c.ID, &c.Namespace, &c.Series, &c.Suite, &c.Name, &c.Heat, &c.Flips, &c.Streak, &outcome, &c.LastUID, &c.LastRun, &created)
		c.LastOutcome, c.LastCreated = outcomeOf(outcome), timeOf(created)
		cases = append(cases, c)
		return err
	})
	return cases, err
}
