package archive

import (
	"testing"
	"time"

	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/results"
	"github.com/testrun-dev/testrun/test/points"
)

// jumps are by how much a clock is wrong.
var jumps = map[string]time.Duration{
	"an hour ahead": time.Hour, "an hour behind": -time.Hour, "a year ahead": 366 * day, "a year behind": -366 * day,
}

// What comes while the clock is wrong is kept for no shorter than it should be.
func TestNothingExpiresEarlySinceItCameWhileTheClockWasWrong(t *testing.T) {
	count := points.Of(t, "the clock jumps while something is stored")
	for name, jump := range jumps {
		for kind, opened := range both {
			if kind == "PostgreSQL" && jump.Abs() < day && !points.All() { // a database takes a second to make
				continue
			}
			for what, store := range map[string]func(t *testing.T, s *Store, wrong time.Time){
				"the run finishes": func(t *testing.T, s *Store, _ time.Time) {
					t.Helper()
					must(t, s.Apply(t.Context(), Batch{Runs: []RunState{stateOf(1, 20, verdict("Failed"), gone)}}))
				},
				"the run finishes by a clock that is wrong too": func(t *testing.T, s *Store, wrong time.Time) {
					t.Helper()
					must(t, s.Apply(t.Context(), Batch{Runs: []RunState{stateOf(1, 20, verdict("Failed"), gone, func(s *RunState) {
						s.Run.Finished = wrong
					})}}))
				},
				"the run is deleted while it is in progress": func(t *testing.T, s *Store, wrong time.Time) {
					t.Helper()
					must(t, s.Apply(t.Context(), Batch{Runs: []RunState{stateOf(1, 20, func(s *RunState) { s.Run.Deleted = wrong })}}))
				},
				"the run is found to be gone": func(t *testing.T, s *Store, wrong time.Time) {
					t.Helper()
					must(t, s.Gone(t.Context(), []string{uidOf(1)}, wrong))
				},
			} {
				t.Run(kind+"/"+name+"/"+what, func(t *testing.T) {
					t.Parallel()
					s := opened(t)
					must(t, s.Apply(t.Context(), Batch{Runs: []RunState{stateOf(1, 10)}}))
					wrong := epoch.Add(10*time.Minute + jump)
					s.SetClock(func() time.Time { return wrong })
					failed := lineOf(1, 0, "one", results.Failed)
					failed.Message = "why"
					must(t, s.AddCases(t.Context(), ownerOf(1), []CaseLine{failed}))
					addAll(t, s, "", chunkOf(ownerOf(1), output, "0123456789", 0, 10))
					store(t, s, wrong)
					s.SetClock(func() time.Time { return epoch.Add(day) })
					expireAll(t, s, epoch.Add(DefaultPolicy.Output-day))
					expectOutputOf(t, s)
					expireAll(t, s, epoch.Add(DefaultPolicy.Rows-day))
					expectCaseOf(t, s)
					count.Tried(t)
				})
			}
		}
	}
}

func expireAll(t *testing.T, s *Store, now time.Time) {
	t.Helper()
	for more := true; more; {
		var err error
		_, more, err = s.Expire(t.Context(), now, DefaultPolicy, 100)
		must(t, err)
	}
}

func expectOutputOf(t *testing.T, s *Store) {
	t.Helper()
	state := mustGet(s.Stream(t.Context(), uidOf(1), 1, push.Stream{Kind: push.Output}))(t)
	if !state.Expired.IsZero() || state.Stored != 10 {
		t.Errorf("the output is %+v", state)
	}
}

func expectCaseOf(t *testing.T, s *Store) {
	t.Helper()
	cases, _, err := s.Cases(t.Context(), CaseQuery{UID: uidOf(1), Attempt: 1})
	if err != nil || len(cases) != 1 || cases[0].Message != "why" {
		t.Errorf("the cases are %+v, %v", cases, err)
	}
}
