package archive

import (
	"fmt"
	"strings"
	"testing"

	"github.com/testrun-dev/testrun/internal/results"
)

// marksOf are the marks of the cases of an attempt, as "name:mark" or "name:failing since run".
func marksOf(t *testing.T, s *Store, n int, attempt int32) string {
	t.Helper()
	var out []string
	cases, _, err := s.Cases(t.Context(), CaseQuery{UID: uidOf(n), Attempt: attempt})
	must(t, err)
	for _, c := range cases {
		text := c.Name + ":" + string(c.Mark)
		if c.FailingSince != (RunRef{}) {
			text += fmt.Sprintf(" since %s at %d", c.FailingSince.Name, int(c.FailingSince.Created.Sub(epoch).Minutes()))
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

func TestACaseIsMarkedByHowItEndedBefore(t *testing.T) {
	const p, f, e, k = results.Passed, results.Failed, results.Errored, results.Skipped
	for _, c := range []struct {
		name string
		// runs are the outcomes of a case in one run after the other, each by its attempts.
		runs [][]results.Outcome
		want string
	}{
		{"it passes as ever", [][]results.Outcome{{p}, {p}}, ""},
		{"it passes for the first time", [][]results.Outcome{{p}}, ""},
		{"it fails for the first time", [][]results.Outcome{{f}}, "new"},
		{"it fails, and passed before", [][]results.Outcome{{p}, {p}, {f}}, "new"},
		{"it fails, was skipped, and passed before that", [][]results.Outcome{{p}, {k}, {f}}, "new"},
		{"it fails again", [][]results.Outcome{{p}, {f}, {e}, {f}}, "failing since smoke-1 at 1"},
		{"it has failed ever", [][]results.Outcome{{f}, {f}}, "failing since smoke-0 at 0"},
		{"it passes, and failed before", [][]results.Outcome{{p}, {f}, {p}}, "fixed"},
		{"it passes, and was fixed before", [][]results.Outcome{{f}, {p}, {p}}, ""},
		{"it is skipped", [][]results.Outcome{{f}, {k}}, ""},
		{"it passes at the second attempt", [][]results.Outcome{{p}, {f, p}}, "flaky"},
		{"it fails at both attempts", [][]results.Outcome{{p}, {f, f}}, "new"},
		{"it fails at both attempts, and did before", [][]results.Outcome{{p}, {f}, {f, f}}, "failing since smoke-1 at 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for kind, opened := range both {
				t.Run(kind, func(t *testing.T) {
					t.Parallel()
					s := opened(t)
					owner := Owner{}
					for n, attempts := range c.runs {
						owner = ownerOf(n)
						must(t, s.Apply(t.Context(), Batch{Runs: []RunState{stateOf(n, n+1)}}))
						for i, outcome := range attempts {
							owner.Attempt = int32(i + 1)
							must(t, s.AddCases(t.Context(), owner, []CaseLine{lineOf(1, 0, "case", outcome)}))
						}
					}
					if got := marksOf(t, s, len(c.runs)-1, owner.Attempt); got != "case:"+c.want {
						t.Errorf("when %s, its mark is %q and not %q", c.name, got, c.want)
					}
				})
			}
		})
	}
}

func TestOnlyTheNewestOutcomeOfACaseHasAMark(t *testing.T) {
	for kind, opened := range both {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := opened(t)
			flaky := lineOf(4, 0, "flaky", results.Passed)
			flaky.Flaky = true
			twice := []CaseLine{lineOf(5, 0, "twice", results.Failed), lineOf(6, 0, "twice", results.Passed)}
			must(t, s.AddCases(t.Context(), ownerOf(1), append(twice, lineOf(1, 0, "breaks", results.Failed), lineOf(2, 0, "only here", results.Failed), flaky)))
			if got, want := marksOf(t, s, 1, 1), "breaks:new, only here:new, flaky:flaky, twice:, twice:flaky"; got != want {
				t.Errorf("the marks are %q and not %q", got, want)
			}
			must(t, s.AddCases(t.Context(), ownerOf(2), []CaseLine{lineOf(1, 0, "breaks", results.Failed)}))
			for n, want := range map[int]string{1: "breaks:, only here:new, flaky:flaky, twice:, twice:flaky", 2: "breaks:failing since smoke-1 at 1"} {
				if got := marksOf(t, s, n, 1); got != want {
					t.Errorf("after a newer run, the marks of run %d are %q and not %q", n, got, want)
				}
			}
		})
	}
}
