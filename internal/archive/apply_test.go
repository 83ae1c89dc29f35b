package archive

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/testrun-dev/testrun/internal/results"
)

func TestAStateThatComesAgainChangesNothing(t *testing.T) {
	for kind, opened := range both {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := opened(t)
			batch := Batch{Runs: []RunState{
				stateOf(1, 10, verdict("Passed")), stateOf(2, 11, verdict("Failed"), gone), stateOf(3, 12, withCases),
			}, Cursor: "12"}
			must(t, s.Apply(t.Context(), batch))
			before := dump(t, s)
			must(t, s.Apply(t.Context(), batch))
			expectSame(t, "what is kept", dump(t, s), before)
		})
	}
}

func withCases(s *RunState) {
	verdict("Failed")(s)
	s.CasesOf = 1
	s.Cases = []CaseResult{{Name: "one", Outcome: results.Failed, Message: "why", Location: "a.t:1"}, {Name: "two", Outcome: results.Passed}}
}

func TestOnlyANewerStateIsTaken(t *testing.T) {
	for _, c := range []struct {
		name  string
		then  Batch
		taken bool
	}{
		{"an older one is ignored", Batch{Runs: []RunState{stateOf(1, 9, verdict("Failed"))}}, false},
		{"a newer one with fewer digits is none", Batch{Runs: []RunState{stateOf(1, 7, verdict("Failed"))}}, false},
		{"a newer one is taken", Batch{Runs: []RunState{stateOf(1, 100, verdict("Failed"))}}, true},
		{"the newest of a batch is taken", Batch{Runs: []RunState{stateOf(1, 12, verdict("Failed")), stateOf(1, 11, verdict("Passed"))}}, true},
		{"an older one is taken if the API server was restored", Batch{Runs: []RunState{stateOf(1, 2, verdict("Failed"))}, Restored: true}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			for kind, opened := range both {
				t.Run(kind, func(t *testing.T) {
					t.Parallel()
					s := opened(t)
					must(t, s.Apply(t.Context(), Batch{Runs: []RunState{stateOf(1, 10)}}))
					must(t, s.Apply(t.Context(), c.then))
					run := mustGet(s.Run(t.Context(), uidOf(1)))(t)
					if (run.Verdict == "Failed") != c.taken {
						t.Errorf("the run is %+v", run)
					}
				})
			}
		})
	}
}

func TestTheCursorNeverGoesBackUnlessTheAPIServerWasRestored(t *testing.T) {
	for kind, opened := range both {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := opened(t)
			for _, step := range []struct {
				batch Batch
				want  string
			}{
				{Batch{}, ""},
				{Batch{Cursor: "90"}, "90"},
				{Batch{Cursor: "100"}, "100"},
				{Batch{Cursor: "99"}, "100"},
				{Batch{}, "100"},
				{Batch{Cursor: "5", Restored: true}, "5"},
			} {
				must(t, s.Apply(t.Context(), step.batch))
				if got := mustGet(s.Cursor(t.Context()))(t); got != step.want {
					t.Errorf("after %+v the cursor is %q", step.batch, got)
				}
			}
		})
	}
}

func TestADeletedRunStaysWithItsLastState(t *testing.T) {
	for kind, opened := range both {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := opened(t)
			must(t, s.Apply(t.Context(), Batch{Runs: []RunState{stateOf(1, 10, verdict("Passed")), stateOf(2, 11), stateOf(3, 12)}}))
			must(t, s.Apply(t.Context(), Batch{Runs: []RunState{stateOf(1, 13, verdict("Passed"), gone)}}))
			live := mustGet(s.Live(t.Context(), "", 0))(t)
			if len(live) != 2 || live[0].UID != uidOf(2) || live[0].ResourceVersion != "11" {
				t.Fatalf("live are %+v", live)
			}
			at := epoch.Add(2 * time.Hour)
			must(t, s.Gone(t.Context(), []string{uidOf(1), uidOf(3), "unknown"}, at))
			for uid, want := range map[string]time.Time{uidOf(1): epoch.Add(61 * time.Minute), uidOf(2): {}, uidOf(3): at} {
				if run := mustGet(s.Run(t.Context(), uid))(t); !run.Deleted.Equal(want) {
					t.Errorf("run %s was deleted at %v", uid, run.Deleted)
				}
			}
			if rest := mustGet(s.Live(t.Context(), uidOf(2), 0))(t); len(rest) != 0 {
				t.Errorf("live after the second are %+v", rest)
			}
			if object := mustGet(s.Object(t.Context(), uidOf(1)))(t); string(object) != "object" {
				t.Errorf("the object is %q", object)
			}
		})
	}
}

// In whatever order and however often states come, each finished run is counted once, by its last state.
func TestFinishedRunsAreCountedOnce(t *testing.T) {
	for kind, opened := range both {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := opened(t)
			random := rand.New(rand.NewPCG(1, 2))
			verdicts := []string{"Passed", "Failed", "Error", "TimedOut", "Cancelled"}
			var all []RunState
			for n := range 60 {
				last := verdict(verdicts[n%5])
				all = append(all, stateOf(n, 100+n), stateOf(n, 200+n, verdict("Failed")), stateOf(n, 300+n, last), stateOf(n, 400+n, last, gone))
			}
			for range 8 {
				random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
				for begin := 0; begin < len(all); begin += 50 {
					must(t, s.Apply(t.Context(), Batch{Runs: all[begin:min(begin+50, len(all))]}))
				}
			}
			days := mustGet(s.Trend(t.Context(), "default", "smoke", epoch, epoch.AddDate(0, 0, 2)))(t)
			var sum Rates
			for _, day := range days {
				sum.add(day.Rates)
			}
			want := Rates{Runs: 60, Passed: 12, Failed: 12, Errored: 12, TimedOut: 12, Cancelled: 12, Duration: time.Hour}
			if len(days) != 1 || sum != want {
				t.Errorf("the days are %+v", days)
			}
			test := mustGet(s.Test(t.Context(), "default", "smoke"))(t)
			if test.LastRun != "smoke-59" || test.LastVerdict != "Cancelled" || test.Test != "smoke" {
				t.Errorf("the test is %+v", test)
			}
		})
	}
}

func TestARunWhoseTestBecomesKnownMovesToItsSeries(t *testing.T) {
	for kind, opened := range both {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := opened(t)
			must(t, s.Apply(t.Context(), Batch{Runs: []RunState{stateOf(1, 1, in("default", "again"), verdict("Passed"))}}))
			must(t, s.Apply(t.Context(), Batch{Runs: []RunState{stateOf(1, 2, verdict("Passed"))}}))
			for series, want := range map[string]int64{"again": 0, "smoke": 1} {
				for _, day := range mustGet(s.Trend(t.Context(), "default", series, epoch.AddDate(0, 0, -1), epoch.AddDate(0, 0, 1)))(t) {
					if day.Runs != want {
						t.Errorf("%s has %+v", series, day)
					}
				}
			}
		})
	}
}

func TestWhatAStateShowsIsRead(t *testing.T) {
	for kind, opened := range both {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := opened(t)
			code := int32(7)
			state := stateOf(1, 10, withCases, func(s *RunState) {
				s.Run.Labels = map[string]string{"team": "a", "testrun.dev/series": "smoke"}
				s.Run.Reason, s.Run.Message, s.Run.Flaky, s.Run.Pinned = "TestFailed", "one of two failed", true, true
				s.Run.Counts = Counts{Passed: 1, Failed: 2, Errored: 3, Skipped: 4, Flaky: 5}
				s.Attempts[0].ExitCode, s.Attempts[0].Node, s.Attempts[0].Reason = &code, "node", "TestFailed"
			})
			must(t, s.Apply(t.Context(), Batch{Runs: []RunState{state}}))
			got := mustGet(s.Run(t.Context(), uidOf(1)))(t)
			if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", state.Run) {
				t.Errorf("the run is\n%+v\nand not\n%+v", got, state.Run)
			}
			attempts := mustGet(s.Attempts(t.Context(), uidOf(1)))(t)
			if len(attempts) != 1 || *attempts[0].ExitCode != 7 || attempts[0].Node != "node" || attempts[0].Counts != (Counts{Passed: 1, Failed: 1}) {
				t.Errorf("the attempts are %+v", attempts)
			}
			cases, _, err := s.Cases(t.Context(), CaseQuery{UID: uidOf(1), Attempt: 1})
			must(t, err)
			want := CaseResult{Number: 1, Name: "one", Outcome: results.Failed, Message: "why", Location: "a.t:1", Mark: MarkNew}
			if len(cases) != 2 || cases[0] != want {
				t.Errorf("the cases are %+v", cases)
			}
		})
	}
}

func TestAnAttemptThatEndedWaitsUntilItIsSettled(t *testing.T) {
	for kind, opened := range both {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := opened(t)
			const text = "all of the output"
			must(t, s.Apply(t.Context(), Batch{Runs: []RunState{stateOf(1, 9), stateOf(2, 10), stateOf(3, 101), stateOf(4, 102)}}))
			for _, chunk := range chunksOf(ownerOf(3), output, text, 10) {
				mustGet(s.AddChunk(t.Context(), chunk))(t)
			}
			mustGet(s.SetEnd(t.Context(), ownerOf(3), endWith(endOf(output, text))))(t)
			if version := mustGet(s.FirstUnsettled(t.Context()))(t); version != "" {
				t.Errorf("%s is unsettled before anything ended", version)
			}
			must(t, s.Apply(t.Context(), Batch{Runs: []RunState{stateOf(2, 201, verdict("Passed")), stateOf(3, 202, verdict("Passed"))}}))
			must(t, s.Gone(t.Context(), []string{uidOf(1)}, epoch))
			var waiting []string
			for _, attempt := range mustGet(s.Unsettled(t.Context(), 10))(t) {
				waiting = append(waiting, attempt.Name)
				if attempt.Attempt.Number != 1 {
					t.Errorf("%+v", attempt)
				}
			}
			if fmt.Sprint(waiting) != "[smoke-2 smoke-1]" && fmt.Sprint(waiting) != "[smoke-1 smoke-2]" {
				t.Errorf("unsettled are %v", waiting)
			}
			if version := mustGet(s.FirstUnsettled(t.Context()))(t); version != "9" {
				t.Errorf("the first unsettled is %s", version)
			}
			must(t, s.Settle(t.Context(), uidOf(1), 1, "the pod is gone"))
			must(t, s.Settle(t.Context(), uidOf(1), 1, "the pod is gone"))
			if version := mustGet(s.FirstUnsettled(t.Context()))(t); version != "201" {
				t.Errorf("the first unsettled is %s", version)
			}
			attempt := mustGet(s.Attempts(t.Context(), uidOf(1)))(t)[0]
			if !attempt.Settled || fmt.Sprint(attempt.Missing) != "[the pod is gone]" {
				t.Errorf("the attempt is %+v", attempt)
			}
			// The whole output comes after the end of the run: it settles the attempt by itself.
			owner := ownerOf(2)
			for _, chunk := range chunksOf(owner, output, text, 10) {
				mustGet(s.AddChunk(t.Context(), chunk))(t)
			}
			mustGet(s.SetEnd(t.Context(), owner, endWith(endOf(output, text))))(t)
			if rest := mustGet(s.Unsettled(t.Context(), 10))(t); len(rest) != 0 {
				t.Errorf("unsettled are %+v", rest)
			}
		})
	}
}
