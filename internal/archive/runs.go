package archive

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"

	"github.com/testrun-dev/testrun/internal/push"
)

// What lists show of a run. Of its message it is the beginning: MaxListedMessage characters. All of it, and the labels, are read with the run alone.
const runColumns = `r.uid, r.namespace, r.name, r.test, r.series, r.queue, r.phase, r.verdict, r.reason, r.flaky, r.pinned, r.created, r.started,
	r.finished, r.deleted, r.passed, r.failed, r.errored, r.skipped, r.flaky_cases, r.resource_version, substr(r.message, 1, 300) AS message`

// MaxListedMessage is how many characters of its message a list has of a run.
const MaxListedMessage = 300

func scanListedRun(scan scanner, more ...any) (Run, error) {
	var r Run
	var created, started, finished, deleted int64
	err := scan(append([]any{
		&r.UID, &r.Namespace, &r.Name, &r.Test, &r.Series, &r.Queue, &r.Phase, &r.Verdict, &r.Reason, &r.Flaky, &r.Pinned, &created, &started,
		&finished, &deleted, &r.Counts.Passed, &r.Counts.Failed, &r.Counts.Errored, &r.Counts.Skipped, &r.Counts.Flaky, &r.ResourceVersion, &r.Message,
	}, more...)...)
	r.Created, r.Started, r.Finished, r.Deleted = timeOf(created), timeOf(started), timeOf(finished), timeOf(deleted)
	return r, err
}

// Runs lists runs, the newest first. The page after this one begins after the Key of its last run.
func (s *Store) Runs(ctx context.Context, filter Filter, page Page) (runs []Run, more bool, err error) {
	namespaces, all := filter.namespaces()
	if all && !filter.isByNamespace() {
		runs, err = s.listRuns(ctx, listAllRuns, append(page.args(), pageSize(page.Limit)+1))
	} else {
		if all {
			if namespaces, err = s.Namespaces(ctx); err != nil {
				return nil, false, err
			}
		}
		runs, err = s.runsOf(ctx, namespaces, filter, page)
	}
	runs, more = cutPage(runs, page.Limit)
	return runs, more, err
}

const listAllRuns = "SELECT " + runColumns + " FROM runs r WHERE (r.created, r.uid) < ($1, $2) ORDER BY r.created DESC, r.uid DESC LIMIT $3"

// namespaces are those that the filter selects and the reader may see. all means that there is no limit.
func (f *Filter) namespaces() (names []string, all bool) {
	switch {
	case f.Namespace == "":
		return f.Namespaces, f.Namespaces == nil
	case f.Namespaces == nil || slices.Contains(f.Namespaces, f.Namespace):
		return []string{f.Namespace}, false
	}
	return nil, false
}

// isByNamespace means that only an index that begins with the namespace finds the runs.
func (f *Filter) isByNamespace() bool {
	return f.Series != "" || f.Name != "" || f.Queue != "" || len(f.States) > 0 || f.Verdict != "" || f.Phase != "" || f.Label != ""
}

// args are the key after which the page begins.
func (p Page) args() []any {
	if p.After == (Key{}) {
		return []any{int64(math.MaxInt64), ""}
	}
	return []any{microseconds(p.After.Created), p.After.UID}
}

// runsOf lists runs of namespaces. Each namespace has an index that leads straight to its newest runs, so the page is merged from one short
// list for each.
func (s *Store) runsOf(ctx context.Context, namespaces []string, filter Filter, page Page) ([]Run, error) {
	limit := pageSize(page.Limit) + 1
	args := append(page.args(), limit)
	if s.dialect == postgres {
		statement, args := filter.statement("n.namespace", args)
		return s.listRuns(ctx, "SELECT r.* FROM unnest("+placeholder(len(args))+"::text[]) AS n(namespace) CROSS JOIN LATERAL ("+statement+
			") AS r ORDER BY r.created DESC, r.uid DESC LIMIT $3", append(args, namespaces))
	}
	var runs []Run
	for _, namespace := range namespaces {
		statement, args := filter.statement("$4", append(args, namespace))
		found, err := s.listRuns(ctx, statement, args)
		if err != nil {
			return nil, err
		}
		runs = newestRuns(append(runs, found...), limit)
	}
	return runs, nil
}

func newestRuns(runs []Run, limit int) []Run {
	slices.SortFunc(runs, func(x, y Run) int { return cmp.Or(y.Created.Compare(x.Created), strings.Compare(y.UID, x.UID)) })
	return runs[:min(len(runs), limit)]
}

// statement selects the runs of one namespace; args are the key, the limit, and what namespace needs.
func (f *Filter) statement(namespace string, args []any) (text string, all []any) {
	var where strings.Builder
	add := func(condition string, value string) {
		args = append(args, value)
		where.WriteString(" AND " + condition + " " + placeholder(len(args)-1))
	}
	table, key := "runs r", "r"
	if f.Label != "" {
		table, key = "labels l JOIN runs r ON r.id = l.run_id", "l"
		add("l.label =", storable(f.Label, maxName))
	}
	if f.Series != "" {
		add("r.series =", plain(f.Series))
	}
	if f.Verdict != "" {
		add("r.verdict =", f.Verdict)
		if f.Verdict != passed {
			where.WriteString(" AND r.verdict <> 'Passed'") // An index has only those.
		}
	}
	if f.Phase != "" {
		add("r.phase =", f.Phase)
		if f.Phase != finished {
			where.WriteString(" AND r.phase <> 'Finished'") // An index has only those.
		}
	}
	if f.Name != "" {
		add("r.name >=", plain(f.Name))
		add("r.name <", plain(f.Name)+string(unicode.MaxRune))
	}
	if f.Queue != "" {
		add("r.queue =", plain(f.Queue))
		where.WriteString(" AND r.phase <> 'Finished'")
	}
	args = f.oneOfStates(&where, args)
	return fmt.Sprintf("SELECT %s FROM %s WHERE %s.namespace = %s AND (%[3]s.created, %[3]s.uid) < ($1, $2)%[5]s "+
		"ORDER BY %[3]s.created DESC, %[3]s.uid DESC LIMIT $3", runColumns, table, key, namespace, where.String()), args
}

// oneOfStates adds the condition that a run is in one of the states.
func (f *Filter) oneOfStates(where *strings.Builder, args []any) []any {
	if len(f.States) == 0 {
		return args
	}
	var of []string
	for _, state := range f.States {
		args = append(args, state)
		column := "r.verdict"
		if state == pending || state == inProgress {
			column = "r.phase"
		}
		of = append(of, column+" = "+placeholder(len(args)-1))
	}
	where.WriteString(" AND (" + strings.Join(of, " OR ") + ")")
	switch {
	case !slices.ContainsFunc(f.States, func(state string) bool { return state != pending && state != inProgress }):
		where.WriteString(" AND r.phase <> 'Finished'") // An index has only those.
	case !slices.Contains(f.States, passed):
		where.WriteString(" AND r.verdict <> 'Passed'")
	}
	return args
}

// What indexes know of runs.
const (
	passed   = "Passed"
	finished = "Finished"
)

// Phases of runs that have not finished.
const (
	pending    = "Pending"
	inProgress = "InProgress"
)

func (s *Store) listRuns(ctx context.Context, statement string, args []any) ([]Run, error) {
	var runs []Run
	err := s.list(ctx, statement, args, func(scan scanner) error {
		run, err := scanListedRun(scan)
		runs = append(runs, run)
		return err
	})
	return runs, err
}

// Run is the run with a UID.
func (s *Store) Run(ctx context.Context, uid string) (Run, error) {
	return s.oneRun(ctx, "r.uid = $1", uid)
}

// RunNamed is the newest run that had a name.
func (s *Store) RunNamed(ctx context.Context, namespace, name string) (Run, error) {
	return s.oneRun(ctx, "r.namespace = $1 AND r.name = $2 ORDER BY r.created DESC, r.uid DESC LIMIT 1", namespace, name)
}

func (s *Store) oneRun(ctx context.Context, where string, args ...any) (Run, error) {
	var run Run
	var id int64
	var message string
	err := s.list(ctx, "SELECT "+runColumns+", r.id, r.message FROM runs r WHERE "+where, args, func(scan scanner) error {
		var err error
		run, err = scanListedRun(scan, &id, &message)
		return err
	})
	if err == nil && id == 0 {
		err = fmt.Errorf("run %s: %w", args[len(args)-1], ErrNotFound)
	}
	if err != nil {
		return Run{}, err
	}
	run.Message = message
	err = s.list(ctx, "SELECT label FROM labels WHERE run_id = $1", []any{id}, func(scan scanner) error {
		var label string
		err := scan(&label)
		if run.Labels == nil {
			run.Labels = map[string]string{}
		}
		key, value, _ := strings.Cut(label, "=")
		run.Labels[key] = value
		return err
	})
	return run, err
}

// Progress is how far the last attempts of runs are, by the UID of the run. Runs without an attempt are left out.
func (s *Store) Progress(ctx context.Context, uids []string) (map[string]push.Progress, error) {
	found := make(map[string]push.Progress, len(uids))
	if len(uids) == 0 {
		return found, nil
	}
	var args []any
	if s.dialect == postgres {
		args = []any{uids}
	} else {
		for _, uid := range uids {
			args = append(args, uid)
		}
	}
	err := s.list(ctx, listProgress(s.dialect, len(uids)), args, func(scan scanner) error {
		var uid string
		var p push.Progress
		err := scan(&uid, &p.Done, &p.Failed, &p.Total)
		found[uid] = p
		return err
	})
	return found, err
}

func listProgress(in dialect, count int) string {
	isOne := "= ANY ($1::text[])"
	if in == sqlite {
		isOne = "IN (?" + strings.Repeat(", ?", count-1) + ")"
	}
	return `SELECT r.uid, a.done, a.done_failed, a.total FROM runs r JOIN attempts a ON a.run_id = r.id
		AND a.number = (SELECT max(m.number) FROM attempts m WHERE m.run_id = r.id) WHERE r.uid ` + isOne
}

// Object is the whole object of a run, in its last state: JSON, compressed with gzip.
func (s *Store) Object(ctx context.Context, uid string) ([]byte, error) {
	var object []byte
	err := s.get(ctx, "SELECT o.object FROM objects o JOIN runs r ON r.id = o.run_id WHERE r.uid = $1", []any{uid}, &object)
	if err != nil {
		return nil, fmt.Errorf("the object of run %s: %w", uid, err)
	}
	return object, nil
}

const attemptColumns = `a.number, a.job, a.pod, a.node, a.verdict, a.reason, a.exit_code, a.created, a.started, a.finished, a.passed, a.failed,
	a.errored, a.skipped, a.flaky_cases, a.done, a.done_failed, a.total, a.pushed, a.missing, a.settled`

func scanAttempt(scan scanner, more ...any) (Attempt, error) {
	var a Attempt
	var created, started, finished int64
	var missing string
	err := scan(append([]any{
		&a.Number, &a.Job, &a.Pod, &a.Node, &a.Verdict, &a.Reason, &a.ExitCode, &created, &started, &finished, &a.Counts.Passed,
		&a.Counts.Failed, &a.Counts.Errored, &a.Counts.Skipped, &a.Counts.Flaky, &a.Progress.Done, &a.Progress.Failed, &a.Progress.Total,
		&a.Ended, &missing, &a.Settled,
	}, more...)...)
	a.Created, a.Started, a.Finished = timeOf(created), timeOf(started), timeOf(finished)
	a.Missing = missingOf(missing)
	return a, err
}

// Attempts lists the attempts of a run.
func (s *Store) Attempts(ctx context.Context, uid string) ([]Attempt, error) {
	var attempts []Attempt
	err := s.list(ctx, "SELECT "+attemptColumns+` FROM attempts a WHERE a.run_id = (SELECT r.id FROM runs r WHERE r.uid = $1)
		ORDER BY a.number LIMIT $2`, []any{uid, MaxPage}, func(scan scanner) error {
		attempt, err := scanAttempt(scan)
		attempt.UID = uid
		attempts = append(attempts, attempt)
		return err
	})
	return attempts, err
}
