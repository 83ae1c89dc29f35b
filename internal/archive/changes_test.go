package archive

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/results"
)

// changed are the names of the runs that changed after a number, in order, and the last number.
func changed(t *testing.T, s *Store, after int64, limit int) (names []string, last int64) {
	t.Helper()
	last = after
	for _, change := range mustGet(s.Changes(t.Context(), after, limit))(t) {
		if change.Number <= last {
			t.Errorf("the change %d comes after %d", change.Number, last)
		}
		names, last = append(names, change.Run.Name), change.Number
	}
	return names, last
}

func TestWhatChangesWhatIsShownOfARunIsAChangeOfIt(t *testing.T) {
	progress := func(n, done int) func(*testing.T, *Store) error {
		return func(t *testing.T, s *Store) error {
			t.Helper()
			return s.SetProgress(t.Context(), []AttemptProgress{{ownerOf(n), push.Progress{Done: int64(done), Total: 9}}})
		}
	}
	steps := []struct {
		name  string
		write func(*testing.T, *Store) error
		want  string
	}{
		{"two runs are created", func(t *testing.T, s *Store) error {
			t.Helper()
			return s.Apply(t.Context(), Batch{Runs: []RunState{stateOf(1, 1), stateOf(2, 2)}, Cursor: "2"})
		}, "smoke-1 smoke-2"},
		{"the watch goes on without news", func(t *testing.T, s *Store) error {
			t.Helper()
			return s.Apply(t.Context(), Batch{Cursor: "3"})
		}, ""},
		{"something is pushed for a run that nobody knows", func(t *testing.T, s *Store) error {
			t.Helper()
			_, err := s.AddChunk(t.Context(), chunkOf(ownerOf(3), output, "0123456789", 0, 4))
			return err
		}, "smoke-3"},
		{"a test is farther than before", progress(1, 3), "smoke-1"},
		{"output is pushed", func(t *testing.T, s *Store) error {
			t.Helper()
			_, err := s.AddChunk(t.Context(), chunkOf(ownerOf(1), output, "0123456789", 0, 4))
			return err
		}, ""},
		{"cases are pushed", func(t *testing.T, s *Store) error {
			t.Helper()
			return s.AddCases(t.Context(), ownerOf(2), []CaseLine{lineOf(1, 0, "one", results.Passed)})
		}, "smoke-2"},
		{"the runner tells its end", func(t *testing.T, s *Store) error {
			t.Helper()
			_, err := s.SetEnd(t.Context(), ownerOf(1), push.End{Streams: []push.StreamEnd{endOf(output, "0123456789")}, Missing: []string{"x"}})
			return err
		}, "smoke-1"},
		{"the last of its output arrives", func(t *testing.T, s *Store) error {
			t.Helper()
			_, err := s.AddChunk(t.Context(), chunkOf(ownerOf(1), output, "0123456789", 4, 6))
			return err
		}, "smoke-1"},
		{"a run is pinned", func(t *testing.T, s *Store) error {
			t.Helper()
			return s.Apply(t.Context(), Batch{Runs: []RunState{stateOf(2, 4, func(s *RunState) { s.Run.Pinned = true })}, Cursor: "4"})
		}, "smoke-2"},
		{"the server gives up on the output of an attempt", func(t *testing.T, s *Store) error {
			t.Helper()
			return s.Settle(t.Context(), uidOf(2), 1, "The pod is gone.")
		}, "smoke-2"},
		{"objects are gone", func(t *testing.T, s *Store) error {
			t.Helper()
			return s.Gone(t.Context(), []string{uidOf(2), uidOf(1)}, epoch)
		}, "smoke-1 smoke-2"},
	}
	for kind, opened := range both {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := opened(t)
			var last int64
			for _, step := range steps {
				// The second time it changes nothing.
				for _, want := range []string{step.want, ""} {
					must(t, step.write(t, s))
					var names []string
					names, last = changed(t, s, last, 10)
					slices.Sort(names)
					if got := strings.Join(names, " "); got != want {
						t.Errorf("when %s, the changes are of %q and not %q", step.name, got, want)
					}
				}
			}
			if got := mustGet(s.LastChange(t.Context()))(t); got != last {
				t.Errorf("the last change is %d and not %d", got, last)
			}
		})
	}
}

func TestAChangeShowsTheRunAsItIs(t *testing.T) {
	for kind, opened := range both {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := opened(t)
			fillRuns(t, s, 25)
			owner := ownerOf(30)
			for owner.Attempt = 1; owner.Attempt <= 2; owner.Attempt++ {
				must(t, s.SetProgress(t.Context(), []AttemptProgress{{owner, push.Progress{Done: int64(4 * owner.Attempt), Failed: 1, Total: 10}}}))
			}
			var all []Change
			for last := int64(0); ; last = all[len(all)-1].Number {
				page := mustGet(s.Changes(t.Context(), last, 7))(t)
				if len(page) == 0 {
					break
				}
				all = append(all, page...)
			}
			if len(all) != 26 || all[25].Progress != (push.Progress{Done: 8, Failed: 1, Total: 10}) {
				t.Fatalf("the changes are %+v", all)
			}
			for _, change := range all {
				want := mustGet(s.Run(t.Context(), change.Run.UID))(t)
				want.Labels, want.Message = nil, ""
				if fmt.Sprintf("%+v", change.Run) != fmt.Sprintf("%+v", want) {
					t.Errorf("the change shows\n%+v and the run is\n%+v", change.Run, want)
				}
			}
		})
	}
}

// Transactions that are under way at once have their numbers in the order of their commits.
func TestWhoFollowsChangesMissesNoneThoughManyWriteAtOnce(t *testing.T) {
	const writers, times = 8, 40
	for kind, opened := range both {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := opened(t)
			s.beforeStatement = func(*transaction) error {
				<-time.After(rand.N(time.Millisecond)) // so that commits are not in the order in which transactions began
				return nil
			}
			var writing sync.WaitGroup
			for n := range writers {
				writing.Go(func() {
					for i := range times {
						err := s.SetProgress(t.Context(), []AttemptProgress{{ownerOf(n*times + i), push.Progress{Done: 1}}})
						if err != nil {
							t.Error(err)
						}
					}
				})
			}
			ctx, finish := context.WithCancel(t.Context())
			go func() {
				writing.Wait()
				finish()
			}()
			seen := map[string]int64{}
			for last, over := int64(0), false; ; {
				changes := mustGet(s.Changes(t.Context(), last, 5))(t)
				for _, change := range changes {
					seen[change.Run.UID], last = change.Progress.Done, change.Number
				}
				if over && len(changes) == 0 {
					break
				}
				over = ctx.Err() != nil
			}
			for n := range writers * times {
				if seen[uidOf(n)] != 1 {
					t.Errorf("the change of run %d was not seen", n)
				}
			}
		})
	}
}
