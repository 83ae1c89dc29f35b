package archive

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/results"
)

func expire(t *testing.T, s *Store, now time.Time, policy Policy) (sum Expired) {
	t.Helper()
	for more := true; more; {
		var one Expired
		var err error
		one, more, err = s.Expire(t.Context(), now, policy, 3)
		must(t, err)
		sum.Streams += one.Streams
		sum.Runs += one.Runs
	}
	return sum
}

func TestEachClassIsKeptForItsTime(t *testing.T) {
	artifact := push.Stream{Kind: push.Artifact, Path: "a"}
	for _, c := range []struct {
		after time.Duration
		want  string // of the runs that passed, failed, failed and are pinned, and go on
	}{
		{6 * day, "output artifact, output artifact, output artifact, output artifact"},
		{8 * day, "artifact, output artifact, output artifact, output artifact"},
		{31 * day, ", output, output artifact, output artifact"},
		{91 * day, ", , output artifact, output artifact"},
		{364 * day, ", , output artifact, output artifact"},
		{366 * day, "gone, gone, output artifact, output artifact"},
	} {
		t.Run(c.after.String(), func(t *testing.T) {
			for kind, opened := range both {
				t.Run(kind, func(t *testing.T) {
					t.Parallel()
					s := opened(t)
					s.now = func() time.Time { return epoch }
					states := []RunState{
						stateOf(0, 1, verdict("Passed"), gone), stateOf(1, 2, verdict("Failed"), gone),
						stateOf(2, 3, verdict("Failed"), gone, func(s *RunState) { s.Run.Pinned = true }), stateOf(3, 4),
					}
					// One run's streams come before its end, the others' after it.
					for n := range states {
						if n == 1 {
							must(t, s.Apply(t.Context(), Batch{Runs: states}))
						}
						for _, stream := range []push.Stream{output, artifact} {
							addAll(t, s, strings.Repeat("x", 100), chunksOf(ownerOf(n), stream, strings.Repeat("x", 100), 10)...)
						}
						must(t, s.AddCases(t.Context(), ownerOf(n), []CaseLine{lineOf(1, 0, "one", results.Failed), lineOf(2, 0, "two", results.Passed)}))
					}
					expire(t, s, epoch.Add(c.after), DefaultPolicy)
					var got []string
					for n := range states {
						got = append(got, keptOf(t, s, n, output, artifact))
					}
					if strings.Join(got, ", ") != c.want {
						t.Errorf("kept are %q", got)
					}
					expectSumsRight(t, s)
					expectEveryBlobNamed(t, s)
					days := mustGet(s.Trend(t.Context(), "default", "smoke", epoch.AddDate(0, 0, -1), epoch.AddDate(0, 0, 1)))(t)
					if len(days) != 1 || days[0].Runs != 3 {
						t.Errorf("the days are %+v", days)
					}
				})
			}
		})
	}
}

// keptOf says what is kept of a run.
func keptOf(t *testing.T, s *Store, n int, streams ...push.Stream) string {
	t.Helper()
	if _, err := s.Run(t.Context(), uidOf(n)); errors.Is(err, ErrNotFound) {
		return "gone"
	}
	cases, _, err := s.Cases(t.Context(), CaseQuery{UID: uidOf(n), Attempt: 1})
	must(t, err)
	if len(cases) != 2 {
		t.Errorf("run %d has the cases %+v", n, cases)
	}
	var kept []string
	for _, stream := range streams {
		state := mustGet(s.Stream(t.Context(), uidOf(n), 1, stream))(t)
		chunks := mustGet(s.Chunks(t.Context(), uidOf(n), 1, stream, 0, 0))(t)
		if state.Expired.IsZero() != (len(chunks) == 10) {
			t.Errorf("run %d has %d chunks of %+v", n, len(chunks), state)
		}
		if state.Expired.IsZero() {
			kept = append(kept, string(stream.Kind))
		} else if _, err := s.AddChunk(t.Context(), chunkOf(ownerOf(n), stream, "x", 0, 1)); !errors.Is(err, ErrExpired) {
			t.Errorf("a chunk of an expired stream: %v", err)
		}
	}
	return strings.Join(kept, " ")
}

// expectSumsRight: what runs and namespaces are said to hold is what they hold.
func expectSumsRight(t *testing.T, s *Store) {
	t.Helper()
	var wrong int
	must(t, s.get(t.Context(), `SELECT count(*) FROM namespaces n WHERE
		n.length <> (SELECT coalesce(sum(s.stored), 0) FROM streams s JOIN runs r ON r.id = s.run_id WHERE r.namespace = n.namespace) OR
		n.length <> (SELECT coalesce(sum(r.length), 0) FROM runs r WHERE r.namespace = n.namespace) OR
		n.size <> (SELECT coalesce(sum(c.size), 0) FROM chunks c JOIN streams s ON s.id = c.stream_id JOIN runs r ON r.id = s.run_id
			WHERE r.namespace = n.namespace) OR
		n.size <> (SELECT coalesce(sum(r.size), 0) FROM runs r WHERE r.namespace = n.namespace) OR
		n.chunks <> (SELECT count(*) FROM chunks c JOIN streams s ON s.id = c.stream_id JOIN runs r ON r.id = s.run_id
			WHERE r.namespace = n.namespace) OR
		n.cases <> (SELECT count(*) FROM case_results c JOIN runs r ON r.id = c.run_id WHERE r.namespace = n.namespace) OR
		n.cases <> (SELECT coalesce(sum(r.cases), 0) FROM runs r WHERE r.namespace = n.namespace)`, nil, &wrong))
	if wrong != 0 {
		t.Errorf("%d namespaces hold something else than they are said to hold", wrong)
	}
}

func TestGarbageIsNamedUntilItIsForgotten(t *testing.T) {
	for kind, opened := range both {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := opened(t)
			must(t, s.Apply(t.Context(), Batch{Runs: []RunState{stateOf(1, 1, verdict("Passed"))}}))
			chunks := chunksOf(ownerOf(1), output, strings.Repeat("x", 100), 10)
			addAll(t, s, strings.Repeat("x", 100), chunks...)
			expire(t, s, epoch.AddDate(0, 0, 10), DefaultPolicy)
			keys := mustGet(s.Garbage(t.Context(), 0))(t)
			if len(keys) != len(chunks) {
				t.Fatalf("garbage is %q", keys)
			}
			if unnamed := mustGet(s.Unnamed(t.Context(), append([]string{"unknown"}, keys...)))(t); fmt.Sprint(unnamed) != "[unknown]" {
				t.Errorf("nothing names %q", unnamed)
			}
			must(t, s.Forget(t.Context(), keys[:4]))
			if rest := mustGet(s.Garbage(t.Context(), 0))(t); len(rest) != 6 {
				t.Errorf("the rest is %q", rest)
			}
			if unnamed := mustGet(s.Unnamed(t.Context(), keys))(t); fmt.Sprint(unnamed) != fmt.Sprint(keys[:4]) {
				t.Errorf("nothing names %q", unnamed)
			}
		})
	}
}

func TestARunThatIsStillInKubernetesKeepsItsRows(t *testing.T) {
	for kind, opened := range both {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := opened(t)
			state := stateOf(1, 1, verdict("Passed"))
			must(t, s.Apply(t.Context(), Batch{Runs: []RunState{state}}))
			if sum := expire(t, s, epoch.AddDate(5, 0, 0), DefaultPolicy); sum.Runs != 0 {
				t.Errorf("%+v expired", sum)
			}
			must(t, s.Gone(t.Context(), []string{uidOf(1)}, epoch))
			if sum := expire(t, s, epoch.AddDate(5, 0, 0), DefaultPolicy); sum.Runs != 1 {
				t.Errorf("%+v expired", sum)
			}
		})
	}
}

func TestWhyACaseFailedIsKeptAsLongAsARowNeedsIt(t *testing.T) {
	for kind, opened := range both {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := opened(t)
			s.now = func() time.Time { return epoch }
			states := []RunState{stateOf(1, 1, withCases, gone), stateOf(2, 2, withCases, gone, func(s *RunState) {
				s.Run.Pinned = true
				s.Cases = []CaseResult{{Name: "pinned", Outcome: results.Failed, Message: "why it is pinned"}}
			})}
			must(t, s.Apply(t.Context(), Batch{Runs: states}))
			expire(t, s, epoch.AddDate(2, 0, 0), DefaultPolicy)
			var messages []string
			must(t, s.list(t.Context(), "SELECT message FROM details", nil, func(scan scanner) error {
				var message string
				err := scan(&message)
				messages = append(messages, message)
				return err
			}))
			if fmt.Sprint(messages) != "[why it is pinned]" {
				t.Errorf("the messages are %q", messages)
			}
		})
	}
}

func TestMonthsAreDroppedAsAWhole(t *testing.T) {
	s := open(t, newPostgres(t))
	s.now = func() time.Time { return epoch }
	must(t, s.addPartitions(t.Context(), epoch))
	must(t, s.addPartitions(t.Context(), epoch.AddDate(0, 3, 0)))
	partitions := func() (names []string) {
		must(t, s.list(t.Context(), listPartitions, nil, func(scan scanner) error {
			var name string
			err := scan(&name)
			names = append(names, strings.TrimPrefix(name, "case_results_"))
			return err
		}))
		return names
	}
	var states []RunState
	for n := range 4 {
		states = append(states, stateOf(n*40*24*60, n+1, withCases, gone, func(s *RunState) { s.Run.Pinned = n == 0 }))
	}
	must(t, s.Apply(t.Context(), Batch{Runs: states}))
	var rest int
	must(t, s.get(t.Context(), "SELECT count(*) FROM case_results_rest", nil, &rest))
	if rest != 0 {
		t.Errorf("%d rows are in no month", rest)
	}
	later := epoch.AddDate(1, 3, 0)
	expire(t, s, later, DefaultPolicy)
	if names := partitions(); strings.Contains(strings.Join(names, " "), "2026_03") || strings.Contains(strings.Join(names, " "), "2026_04") ||
		!strings.Contains(strings.Join(names, " "), "2026_07") || !strings.Contains(strings.Join(names, " "), later.Format("2006_01")) {
		t.Errorf("the partitions are %v", names)
	}
	cases, _, err := s.Cases(t.Context(), CaseQuery{UID: states[0].Run.UID, Attempt: 1})
	must(t, err)
	if len(cases) != 2 || cases[0].Message != "why" {
		t.Errorf("the pinned run has the cases %+v", cases)
	}
	expectSumsRight(t, s)
}
