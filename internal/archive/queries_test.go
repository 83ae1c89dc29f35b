package archive

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/results"
)

// fillRuns keeps runs of three namespaces, with series, verdicts, phases and labels that differ.
func fillRuns(t *testing.T, s *Store, count int) []Run {
	t.Helper()
	var all []Run
	var batch Batch
	for n := range count {
		// Two runs are created in the same second each time.
		state := stateOf(n/2*2, n+1, in([]string{"a", "b", "c"}[n%3], []string{"x", "y"}[n/3%2]), func(s *RunState) {
			s.Run.UID = uidOf(n)
			s.Run.Name, s.Run.Queue = fmt.Sprintf("run-%03d", n), []string{"default", "slow", ""}[n%7%3]
			s.Run.Labels = map[string]string{"team": fmt.Sprint(n % 4), "all": "yes"}
		})
		if n%5 > 0 {
			verdict([]string{"", "Passed", "Failed", "Passed", "Error"}[n%5])(&state)
		}
		all = append(all, state.Run)
		batch.Runs = append(batch.Runs, state)
	}
	must(t, s.Apply(t.Context(), batch))
	return all
}

func TestPagesHaveEveryRunOnceNewestFirst(t *testing.T) {
	for kind, opened := range both {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := opened(t)
			all := fillRuns(t, s, 200)
			for name, c := range map[string]struct {
				filter Filter
				want   func(Run) bool
			}{
				"all":                 {Filter{}, func(Run) bool { return true }},
				"a namespace":         {Filter{Namespace: "b"}, func(r Run) bool { return r.Namespace == "b" }},
				"may see two":         {Filter{Namespaces: []string{"c", "a", "none"}}, func(r Run) bool { return r.Namespace != "b" }},
				"may see none":        {Filter{Namespaces: []string{}}, func(Run) bool { return false }},
				"may not see it":      {Filter{Namespace: "b", Namespaces: []string{"a"}}, func(Run) bool { return false }},
				"may see it":          {Filter{Namespace: "b", Namespaces: []string{"a", "b"}}, func(r Run) bool { return r.Namespace == "b" }},
				"a series":            {Filter{Series: "y"}, func(r Run) bool { return r.Series == "y" }},
				"failed":              {Filter{Verdict: "Failed"}, func(r Run) bool { return r.Verdict == "Failed" }},
				"passed":              {Filter{Verdict: "Passed"}, func(r Run) bool { return r.Verdict == "Passed" }},
				"failed of a series":  {Filter{Verdict: "Failed", Series: "x", Namespace: "a"}, func(r Run) bool { return r.Verdict == "Failed" && r.Series == "x" && r.Namespace == "a" }},
				"in progress":         {Filter{Phase: "InProgress"}, func(r Run) bool { return r.Phase == "InProgress" }},
				"finished":            {Filter{Phase: "Finished", Namespaces: []string{"a", "b"}}, func(r Run) bool { return r.Phase == "Finished" && r.Namespace != "c" }},
				"a label":             {Filter{Label: "team=3"}, func(r Run) bool { return r.Labels["team"] == "3" }},
				"a label and verdict": {Filter{Label: "team=3", Verdict: "Error"}, func(r Run) bool { return r.Labels["team"] == "3" && r.Verdict == "Error" }},
				"two states":          {Filter{States: []string{"Failed", "InProgress"}}, func(r Run) bool { return r.Verdict == "Failed" || r.Phase == "InProgress" }},
				"passed, or waiting":  {Filter{States: []string{"Passed", "Pending"}, Series: "x"}, func(r Run) bool { return r.Series == "x" && r.Verdict == "Passed" }},
				"a beginning":         {Filter{Name: "run-01"}, func(r Run) bool { return strings.HasPrefix(r.Name, "run-01") }},
				"an empty name":       {Filter{Name: "%"}, func(Run) bool { return false }},
				"in a queue":          {Filter{Queue: "slow"}, func(r Run) bool { return r.Queue == "slow" && r.Phase != "Finished" }},
				"an unknown label":    {Filter{Label: "team=9"}, func(Run) bool { return false }},
			} {
				var want, got []string
				for _, run := range all {
					if c.want(run) {
						want = append(want, fmt.Sprint(run.Created.Unix(), run.UID))
					}
				}
				slices.Sort(want)
				slices.Reverse(want)
				page := Page{Limit: 7}
				for more := true; more; {
					var runs []Run
					var err error
					runs, more, err = s.Runs(t.Context(), c.filter, page)
					must(t, err)
					for _, run := range runs {
						got = append(got, fmt.Sprint(run.Created.Unix(), run.UID))
						page.After = run.Key()
					}
					if more && len(runs) != page.Limit {
						t.Fatalf("%s: a page has %d runs, and there are more", name, len(runs))
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s: the pages have %d runs and should have %d:\n%v\n%v", name, len(got), len(want), got, want)
				}
			}
		})
	}
}

func TestAListShowsWhyARunIsAsItIs(t *testing.T) {
	for kind, opened := range both {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := opened(t)
			long := strings.Repeat("ä", 2*MaxListedMessage)
			short, endless := stateOf(1, 1), stateOf(2, 2)
			short.Run.Message, endless.Run.Message = "Waits in the queue default", long
			must(t, s.Apply(t.Context(), Batch{Runs: []RunState{short, endless, stateOf(3, 3)}}))
			runs, _, err := s.Runs(t.Context(), Filter{Namespaces: []string{"default"}}, Page{})
			must(t, err)
			if len(runs) != 3 || runs[2].Message != short.Run.Message || runs[1].Message != long[:len("ä")*MaxListedMessage] {
				t.Errorf("the list has %+v", runs)
			}
			if run := mustGet(s.Run(t.Context(), endless.Run.UID))(t); run.Message != long {
				t.Errorf("the run has a message of %d bytes, not of %d", len(run.Message), len(long))
			}
			owner := ownerOf(1)
			for owner.Attempt = 1; owner.Attempt <= 2; owner.Attempt++ {
				must(t, s.SetProgress(t.Context(), []AttemptProgress{{owner, push.Progress{Done: int64(owner.Attempt), Total: 9}}}))
			}
			progress := mustGet(s.Progress(t.Context(), []string{uidOf(1), uidOf(3), "never"}))(t)
			want := map[string]push.Progress{uidOf(1): {Done: 2, Total: 9}, uidOf(3): {}}
			if !maps.Equal(progress, want) {
				t.Errorf("the progress is %v, not %v", progress, want)
			}
		})
	}
}

func TestPagesHaveEveryCaseOnce(t *testing.T) {
	for kind, opened := range both {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := opened(t)
			var lines []CaseLine
			for i := range 100 {
				lines = append(lines, lineOf(i+1, i, fmt.Sprint("case ", i), outcomeNumbers[i%7%4]))
			}
			must(t, s.AddCases(t.Context(), ownerOf(1), lines))
			for name, outcomes := range map[string][]results.Outcome{
				"all": nil, "failed": {results.Failed, results.Errored}, "passed": {results.Passed}, "both": {results.Passed, results.Failed},
			} {
				var want, got []string
				for _, line := range lines {
					if outcomes == nil || slices.Contains(outcomes, line.Outcome) {
						want = append(want, line.Name)
					}
				}
				query := CaseQuery{UID: uidOf(1), Attempt: 1, Outcomes: outcomes, Limit: 9}
				for more := true; more; {
					var page []CaseResult
					var err error
					page, more, err = s.Cases(t.Context(), query)
					must(t, err)
					for _, c := range page {
						got = append(got, c.Name)
						query.After = c.Number
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s: the pages have\n%v", name, got)
				}
			}
		})
	}
}

func TestAHistoryHasEveryOutcomeOnceNewestFirst(t *testing.T) {
	for kind, opened := range both {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := opened(t)
			for n := range 25 {
				owner := ownerOf(n * 7 % 25)
				for owner.Attempt = 1; owner.Attempt <= 2; owner.Attempt++ {
					must(t, s.AddCases(t.Context(), owner, []CaseLine{lineOf(4, 0, "case", results.Passed), lineOf(9, 1, "case", results.Failed)}))
				}
			}
			var got []string
			var after HistoryKey
			for more := true; more; {
				var page []CaseOutcome
				var err error
				page, more, err = s.CaseHistory(t.Context(), CaseName{"default", "smoke", "suite", "case"}, after, 7)
				must(t, err)
				for _, outcome := range page {
					got = append(got, fmt.Sprintf("%s/%d/%d", outcome.UID, outcome.Attempt, outcome.Number))
					after = outcome.Key()
				}
			}
			var want []string
			for n := 24; n >= 0; n-- {
				want = append(want, uidOf(n)+"/2/9", uidOf(n)+"/2/4", uidOf(n)+"/1/9", uidOf(n)+"/1/4")
			}
			if !slices.Equal(got, want) {
				t.Errorf("the history is\n%v", got)
			}
			days := mustGet(s.CaseTrend(t.Context(), CaseName{"default", "smoke", "suite", "case"}, epoch, epoch.AddDate(0, 0, 1)))(t)
			if len(days) != 1 || days[0].Runs != 100 || days[0].Failed != 50 || days[0].Passed != 50 {
				t.Errorf("the days are %+v", days)
			}
		})
	}
}

func TestADifferenceIsACaseThatEndedOtherwise(t *testing.T) {
	for kind, opened := range both {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := opened(t)
			must(t, s.AddCases(t.Context(), ownerOf(1), []CaseLine{
				lineOf(1, 0, "same", results.Passed), lineOf(2, 1, "broken", results.Passed), lineOf(3, 2, "gone", results.Failed),
				lineOf(4, 3, "twice", results.Failed), lineOf(5, 4, "twice", results.Passed),
			}))
			must(t, s.AddCases(t.Context(), ownerOf(2), []CaseLine{
				lineOf(1, 0, "twice", results.Passed), lineOf(2, 1, "new", results.Failed), lineOf(3, 2, "broken", results.Errored), lineOf(4, 3, "same", results.Passed),
			}))
			for limit := 1; limit < 5; limit++ {
				var got []string
				query := CompareQuery{UID: uidOf(2), Attempt: 1, With: uidOf(1), WithAttempt: 1, Limit: limit}
				for more := true; more; {
					var page []Difference
					var err error
					page, more, err = s.Compare(t.Context(), query)
					must(t, err)
					for _, d := range page {
						got = append(got, fmt.Sprintf("%s:%s-%s", d.Name, d.Was, d.Outcome))
						query.Gone, query.After = d.Gone, d.Number
					}
				}
				if want := "[new:-Failed broken:Passed-Errored gone:Failed-]"; fmt.Sprint(got) != want {
					t.Errorf("with pages of %d, the differences are %v, not %s", limit, got, want)
				}
			}
		})
	}
}

func TestPagesHaveEverySeriesOnce(t *testing.T) {
	for kind, opened := range both {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := opened(t)
			fillRuns(t, s, 60)
			var got []string
			var after SeriesKey
			for more := true; more; {
				var page []SeriesSummary
				var err error
				page, more, err = s.Tests(t.Context(), Filter{Namespaces: []string{"c", "a", "b"}}, after, 4)
				must(t, err)
				for _, one := range page {
					got = append(got, one.Namespace+"/"+one.Series)
					after = one.SeriesKey
				}
			}
			if fmt.Sprint(got) != "[a/x a/y b/x b/y c/x c/y]" {
				t.Errorf("the series are %v", got)
			}
			if names := mustGet(s.Namespaces(t.Context()))(t); fmt.Sprint(names) != "[a b c]" {
				t.Errorf("the namespaces are %v", names)
			}
		})
	}
}

// Every list is read from an index that leads to its page: no table is read whole, and nothing is sorted that grows with what is kept.
func TestEveryListIsReadFromAnIndex(t *testing.T) {
	filters := map[string]struct {
		filter Filter
		index  string
	}{
		"a namespace":        {Filter{}, "runs_namespace"},
		"a series":           {Filter{Series: "x"}, "runs_series"},
		"failed":             {Filter{Verdict: "Failed"}, "runs_not_passed"},
		"failed of a series": {Filter{Verdict: "Failed", Series: "x"}, "runs_series_not_passed"},
		"in progress":        {Filter{Phase: "InProgress"}, "runs_not_finished"},
		"not finished":       {Filter{States: []string{"Pending", "InProgress"}}, "runs_not_finished"},
		"failed or waiting":  {Filter{States: []string{"Pending", "Failed"}}, "runs_not_passed"},
		"a name":             {Filter{Name: "run-01"}, "runs_name"},
		"a queue":            {Filter{Queue: "slow"}, "runs_not_finished"},
		"a label":            {Filter{Label: "team=1"}, "labels_label"},
	}
	for kind, opened := range both {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := opened(t)
			fillRuns(t, s, 300)
			key := Page{}.args()
			uid, stream := uidOf(1), []any{uidOf(1), 1, "output", ""}
			uids := []any{uidOf(1), uidOf(2)}
			if s.dialect == postgres {
				uids = []any{[]string{uidOf(1), uidOf(2)}}
			}
			lists := map[string]struct {
				statement string
				args      []any
				index     string
			}{
				"all runs":              {listAllRuns, append(key, 10), "runs_created"},
				"audit":                 {listAudit, []any{"a", 1, 10}, "audit_namespace"},
				"sessions to forget":    {listOverSessions, []any{1, 10}, "ended_sessions_ends"},
				"audit to drop":         {listOldAudit, []any{1, 10}, "audit_at"},
				"changes":               {listChanges, []any{1, 10}, "changes_pkey|USING INTEGER PRIMARY KEY"},
				"progress of runs":      {listProgress(s.dialect, 2), uids, "runs_uid_key|autoindex_runs"},
				"live runs":             {listLive, []any{"", 10}, "runs_live"},
				"unsettled attempts":    {listUnsettled, []any{10}, "attempts_unsettled"},
				"cases":                 {listCases(s.dialect, nil), []any{1, 1, 1, 0, 10}, primaryKey},
				"failed cases":          {listCases(s.dialect, []results.Outcome{results.Failed}), []any{1, 1, 1, 0, 10}, "not_passed|outcome"},
				"what has changed":      {listChanged, []any{1, 1, 1, 0, 10, 1, 2, 1}, primaryKey},
				"what is gone":          {listGone, []any{1, 1, 1, 0, 10, 1, 2, 1}, primaryKey},
				"history":               {listHistory, []any{1, 1, 1, 1, 1, 10}, "case_results_case|case_id"},
				"flaky":                 {listFlaky(false), []any{"a", 1e9, 1, 10}, "case_state_heat"},
				"flaky of a series":     {listFlaky(true), []any{"a", 1e9, 1, 10, "x"}, "case_state_series_heat"},
				"times in queues":       {listQueueTimes, []any{"a", 1, 10}, "runs_namespace"},
				"times of who waits":    {listQueueTimesBefore, []any{"a", 1, 10}, "runs_not_finished"},
				"series":                {listSeries, []any{"a", "", 10}, primaryKey},
				"a series":              {getSeries, []any{"a", "x", 1}, primaryKey},
				"days":                  {listDays, []any{"a", "x", 1, 2, 10}, primaryKey},
				"days of a case":        {listCaseDays, []any{1, 1, 2, 10}, primaryKey + "|autoindex_case_daily"},
				"streams":               {listStreams, []any{uid, 10}, uniqueKey},
				"streams of an attempt": {listStreamsOfAttempt, []any{uid, 10, 1, "", ""}, uniqueKey},
				"a stream":              {getStream, stream, uniqueKey},
				"chunks":                {listChunks, []any{1, 5, 10}, primaryKey},
				"streams that ended":    {listEnded, []any{1, 1, 10}, "streams_ended"},
				"streams to drop":       {firstDropping, []any{10}, "streams_dropping"},
				"runs to drop":          {listDueRuns, []any{1, 10}, "runs_ended"},
			}
			for name, c := range filters {
				statement, args := c.filter.statement("$4", append(Page{}.args(), 10, "a"))
				lists["runs of "+name] = struct {
					statement string
					args      []any
					index     string
				}{statement, args, c.index}
			}
			for name, list := range lists {
				plan := explain(t, s, list.statement, list.args)
				if !regexp.MustCompile(list.index).MatchString(plan) || regexp.MustCompile(bad).MatchString(plan) {
					t.Errorf("%s is read by\n%s", name, plan)
				}
			}
		})
	}
}

// How plans name the indexes of keys, and what no plan has.
const (
	primaryKey = "PRIMARY KEY|_pkey"
	uniqueKey  = "autoindex_streams|streams_run_id_attempt_kind_path_key"
	bad        = `(?m)^SCAN [a-z]+$|Seq Scan|USE TEMP B-TREE| {2}Sort `
)

// explain is how a database reads a list. PostgreSQL reads small tables whole and sorts a few rows, unless told to do so only if it must.
func explain(t *testing.T, s *Store, statement string, args []any) string {
	t.Helper()
	prefix := "EXPLAIN QUERY PLAN "
	var out strings.Builder
	must(t, s.transact(t.Context(), func(tx *transaction) error {
		if s.dialect == postgres {
			prefix = "EXPLAIN "
			for _, setting := range []string{"enable_seqscan", "enable_sort", "enable_bitmapscan"} {
				if _, err := tx.exec(t.Context(), "SET LOCAL "+setting+" = off"); err != nil {
					return err
				}
			}
		}
		return tx.list(t.Context(), prefix+statement, args, func(scan scanner) error {
			var line string
			if s.dialect == postgres {
				err := scan(&line)
				fmt.Fprintln(&out, line)
				return err
			}
			var id, parent, unused int
			err := scan(&id, &parent, &unused, &line)
			fmt.Fprintln(&out, line)
			return err
		})
	}))
	return out.String()
}
