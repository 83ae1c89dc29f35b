package archive

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/results"
	"github.com/testrun-dev/testrun/test/points"
)

// fillAll keeps something in every table.
func fillAll(t *testing.T, s *Store) {
	t.Helper()
	prepare(t, s)
	fillRuns(t, s, 50)
	for n := 100; n < 110; n++ {
		flips := lineOf(1, 0, "flips", outcomeNumbers[n%2])
		flips.Message = "why"
		must(t, s.AddCases(t.Context(), ownerOf(n), []CaseLine{flips, lineOf(2, 0, "stays", results.Passed)}))
		must(t, s.Apply(t.Context(), Batch{Runs: []RunState{stateOf(n, n, withCases, func(s *RunState) { s.Run.Labels = map[string]string{"a": "b"} })}}))
	}
	addAll(t, s, "", chunkOf(ownerOf(1), output, "0123456789", 0, 10))
	mustGet(s.SetEnd(t.Context(), ownerOf(1), push.End{Missing: []string{"x"}, Streams: []push.StreamEnd{endOf(output, "0123456789")}}))(t)
	must(t, s.Apply(t.Context(), Batch{Cursor: "77"}))
	must(t, s.EndSession(t.Context(), "session", epoch.Add(day)))
	must(t, s.Audit(t.Context(), AuditEntry{User: "anna", Action: "create", Result: "created", Namespace: "default"}))
	for _, table := range tables {
		if !strings.Contains(dump(t, s), "\n"+table.name+" ") {
			t.Errorf("nothing is in %s", table.name)
		}
	}
}

func TestACopyIsTheSameEvenIfItWasBrokenOff(t *testing.T) {
	count := points.Of(t, "a copy to another database is broken off")
	for name, to := range map[string]func(t *testing.T) string{"to SQLite": newSQLite, "to PostgreSQL": newPostgres} {
		t.Run(name, func(t *testing.T) {
			for kind, opened := range both {
				t.Run(kind, func(t *testing.T) {
					t.Parallel()
					s := opened(t)
					fillAll(t, s)
					target := to(t)
					// It is broken off after each portion in turn.
					for portions := 0; ; portions++ {
						other := open(t, target)
						ctx, cancel := context.WithCancel(t.Context())
						left := portions%5 + 1
						c := copying{from: s, to: other, portion: 7, report: func(string, int64) {
							left--
							if left == 0 {
								cancel()
							}
						}}
						err := c.copy(ctx)
						cancel()
						must(t, other.Close())
						if err == nil {
							break
						}
						if !errors.Is(err, context.Canceled) {
							t.Fatal(err)
						}
						count.Tried(t)
					}
					copied := open(t, target)
					expectSame(t, "the copy", dump(t, copied), dump(t, s))
					must(t, s.CopyTo(t.Context(), copied, nil))
					expectSame(t, "the copy of a copy", dump(t, copied), dump(t, s))
					// What comes next gets ids that nothing has.
					must(t, copied.AddCases(t.Context(), ownerOf(500), []CaseLine{lineOf(1, 0, "a new one", results.Failed)}))
					addAll(t, copied, "text", chunksOf(ownerOf(500), output, "text", 2)...)
					must(t, copied.Apply(t.Context(), Batch{Runs: []RunState{stateOf(501, 501, withCases)}, Cursor: "501"}))
				})
			}
		})
	}
}

func TestACopyRefusesATargetOfItsOwnAndASourceThatChanged(t *testing.T) {
	for kind, opened := range both {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := opened(t)
			fillAll(t, s)
			other := openLike(t, s)
			must(t, other.Apply(t.Context(), Batch{Runs: []RunState{stateOf(900, 1)}}))
			if err := s.CopyTo(t.Context(), other, nil); !errors.Is(err, ErrInvalid) || !strings.Contains(fmt.Sprint(err), "runs of its own") {
				t.Errorf("a target with runs: %v", err)
			}
			empty := openLike(t, s)
			ctx, cancel := context.WithCancel(t.Context())
			if err := s.CopyTo(ctx, empty, func(string, int64) { cancel() }); !errors.Is(err, context.Canceled) {
				t.Errorf("a copy that is broken off: %v", err)
			}
			must(t, s.Apply(t.Context(), Batch{Cursor: "78"}))
			if err := s.CopyTo(t.Context(), empty, nil); !errors.Is(err, ErrInvalid) || !strings.Contains(fmt.Sprint(err), "has changed") {
				t.Errorf("a source that changed: %v", err)
			}
		})
	}
}
