package archive

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/results"
)

// randomLines are lines of cases of a run: some come twice, with a later line that says something else.
func randomLines(random *rand.Rand, cases int) []CaseLine {
	var lines []CaseLine
	for number := 1; number <= cases; number++ {
		for offset := range 1 + random.IntN(2) {
			line := lineOf(number, offset*10_000+number*50, fmt.Sprintf("case %d", random.IntN(cases)), outcomeNumbers[random.IntN(4)])
			line.Flaky = line.Outcome == results.Passed && random.IntN(4) == 0
			line.Message = fmt.Sprint("why ", random.IntN(3))
			if offset == 1 && random.IntN(3) == 0 {
				line = CaseLine{push.Case{Number: line.Number}, line.Offset} // there is no such case after all
			}
			lines = append(lines, line)
		}
	}
	return lines
}

// In whatever order, in whatever portions and however often lines come, what is kept in the end means the same.
func TestCasesMeanTheSameInAnyOrder(t *testing.T) {
	want := map[bool]string{}
	for kind, opened := range both {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := opened(t)
			random := rand.New(rand.NewPCG(5, 6))
			const runs = 6
			var all [runs][]CaseLine
			for n := range runs {
				all[n] = randomLines(random, 12)
			}
			var portions []func(s *Store)
			add := func(n int, lines ...CaseLine) {
				portions = append(portions, func(s *Store) { must(t, s.AddCases(t.Context(), ownerOf(n), lines)) })
			}
			for n := range runs {
				add(n, all[n]...)
			}
			for _, portion := range portions {
				portion(s)
			}
			want[true] = meaning(t, s)
			for round := range 4 {
				url := newSQLite(t)
				if s.dialect == postgres {
					url = newPostgres(t)
				}
				other := open(t, url)
				portions = nil
				for n := range runs {
					for range 2 {
						lines := append([]CaseLine{}, all[n]...)
						random.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
						for begin := 0; begin < len(lines); begin += 5 {
							add(n, lines[begin:min(begin+5, len(lines))]...)
						}
					}
				}
				random.Shuffle(len(portions), func(i, j int) { portions[i], portions[j] = portions[j], portions[i] })
				for _, portion := range portions {
					portion(other)
				}
				expectSame(t, fmt.Sprint("round ", round), meaning(t, other), meaning(t, s))
			}
		})
	}
}

func TestRunsThatBeginTheHistoryOfCasesAtOnceMissNothingOfEachOther(t *testing.T) {
	for kind, opened := range both {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s, other := opened(t), opened(t)
			for round := range 10 {
				push := func(to *Store, n int, outcome results.Outcome) error {
					var lines []CaseLine
					for number := 1; number <= 20; number++ {
						lines = append(lines, lineOf(number, 100*number, fmt.Sprintf("case %d of %d", number, round), outcome))
					}
					return to.AddCases(t.Context(), ownerOf(3*round+n), lines)
				}
				// The cases are known then, and have no history.
				must(t, errors.Join(push(s, 0, results.Skipped), push(other, 0, results.Skipped)))
				var group errgroup.Group
				group.Go(func() error { return push(s, 1, results.Passed) })
				group.Go(func() error { return push(s, 2, results.Failed) })
				must(t, errors.Join(group.Wait(), push(other, 1, results.Passed), push(other, 2, results.Failed)))
			}
			expectSame(t, "at once", meaning(t, s), meaning(t, other))
		})
	}
}

func TestAWithdrawnCaseIsNotThere(t *testing.T) {
	for kind, opened := range both {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := opened(t)
			withdrawn := CaseLine{push.Case{Number: 2}, 200}
			lines := []CaseLine{lineOf(1, 0, "stays", results.Failed), lineOf(2, 100, "goes", results.Failed)}
			must(t, s.AddCases(t.Context(), ownerOf(0), lines))
			must(t, s.AddCases(t.Context(), ownerOf(0), []CaseLine{withdrawn}))
			must(t, s.AddCases(t.Context(), ownerOf(1), []CaseLine{withdrawn}))
			for n := range 2 {
				must(t, s.AddCases(t.Context(), ownerOf(n), lines)) // late
				for _, outcomes := range [][]results.Outcome{nil, {results.Failed}, {results.Errored, results.Skipped}} {
					cases, _, err := s.Cases(t.Context(), CaseQuery{UID: uidOf(n), Attempt: 1, Outcomes: outcomes})
					must(t, err)
					for _, c := range cases {
						if c.Name != "stays" {
							t.Errorf("of run %d, listed is %+v", n, c)
						}
					}
				}
				attempts, err := s.Attempts(t.Context(), uidOf(n))
				must(t, err)
				if attempts[0].Counts != (Counts{Failed: 1}) {
					t.Errorf("the counts of run %d are %+v", n, attempts[0].Counts)
				}
			}
			history, _, err := s.CaseHistory(t.Context(), CaseName{"default", "smoke", lines[1].Suite, "goes"}, HistoryKey{}, 10)
			if err != nil || len(history) > 0 {
				t.Errorf("its history is %+v, %v", history, err)
			}
			must(t, s.AddCases(t.Context(), ownerOf(0), []CaseLine{lineOf(2, 300, "comes again", results.Passed)}))
			cases, _, err := s.Cases(t.Context(), CaseQuery{UID: uidOf(0), Attempt: 1})
			must(t, err)
			if len(cases) != 2 || cases[1].Name != "comes again" {
				t.Errorf("listed are %+v", cases)
			}
		})
	}
}

func TestTheHistoryOfACaseSaysWhenItBroke(t *testing.T) {
	for _, c := range []struct {
		history string // P passed, F failed, E errored, S skipped, f passed after a failed attempt
		outcome results.Outcome
		since   int
		streak  int64
		flips   int64
	}{
		{"P", results.Passed, 0, 1, 0},
		{"PPP", results.Passed, 0, 3, 0},
		{"PPF", results.Failed, 2, 1, 1},
		{"PFE", results.Errored, 1, 2, 1},
		{"PFSSF", results.Failed, 1, 2, 1},
		{"PFPF", results.Failed, 3, 1, 3},
		{"FPP", results.Passed, 1, 2, 1},
		{"PfP", results.Passed, 0, 3, 1},
		{"SSSP", results.Passed, 3, 1, 0},
	} {
		t.Run(c.history, func(t *testing.T) {
			for kind, opened := range both {
				t.Run(kind, func(t *testing.T) {
					t.Parallel()
					s := opened(t)
					for n, letter := range c.history {
						line := lineOf(1, 0, "case", map[rune]results.Outcome{'P': results.Passed, 'F': results.Failed, 'E': results.Errored, 'S': results.Skipped, 'f': results.Passed}[letter])
						line.Flaky = letter == 'f'
						must(t, s.AddCases(t.Context(), ownerOf(n), []CaseLine{line}))
					}
					var outcome, streak, flips int64
					var since string
					must(t, s.get(t.Context(), "SELECT c.outcome, r.uid, c.streak, c.flips FROM case_state c JOIN runs r ON r.id = c.since_run_id",
						nil, &outcome, &since, &streak, &flips))
					if outcomeOf(outcome) != c.outcome || since != uidOf(c.since) || streak != c.streak || flips != c.flips {
						t.Errorf("it is %s since %s, %d times, after %d flips", outcomeOf(outcome), since, streak, flips)
					}
				})
			}
		})
	}
}

func TestFlakyCasesThatFlippedLatelyComeFirst(t *testing.T) {
	for kind, opened := range both {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := opened(t)
			day := func(n int) int { return n * 24 * 60 }
			flip := func(name string, runs ...int) {
				for i, n := range runs {
					owner := ownerOf(n)
					must(t, s.AddCases(t.Context(), owner, []CaseLine{lineOf(len(name)*1000+i+1, 0, name, outcomeNumbers[i%2])}))
				}
			}
			flip("twice, now", day(100), day(100)+1, day(100)+2)
			flip("eight times, long ago", 0, 1, 2, 3, 4, 5, 6, 7, 8)
			flip("once, now", day(100)+3, day(100)+4)
			flip("twice, a week ago", day(93), day(93)+1, day(93)+2)
			flip("never", day(100))
			var names []string
			var after FlakyKey
			for more := true; more; {
				var page []FlakyCase
				var err error
				page, more, err = s.Flaky(t.Context(), Filter{Namespace: "default", Series: "smoke"}, after, 2)
				must(t, err)
				for _, one := range page {
					names = append(names, one.Name)
					after = one.Key()
				}
			}
			want := "twice, now; once, now; twice, a week ago; eight times, long ago"
			// Once now and twice a half-life ago are worth the same but for a few minutes.
			if got := strings.Join(names, "; "); got != want {
				t.Errorf("the order is %s", got)
			}
		})
	}
}

func TestTheFirstPushedCasesReplaceThoseOfTheStatus(t *testing.T) {
	for kind, opened := range both {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := opened(t)
			must(t, s.Apply(t.Context(), Batch{Runs: []RunState{stateOf(1, 1, withCases)}}))
			stream := push.Stream{Kind: push.Cases}
			chunk := chunkOf(ownerOf(1), stream, "line", 0, 4)
			chunk.Cases = []CaseLine{lineOf(2, 0, "two", results.Passed), lineOf(3, 1, "three", results.Failed)}
			addAll(t, s, "line", chunk)
			must(t, s.Apply(t.Context(), Batch{Runs: []RunState{stateOf(1, 2, withCases)}}))
			cases, _, err := s.Cases(t.Context(), CaseQuery{UID: uidOf(1), Attempt: 1})
			must(t, err)
			if len(cases) != 2 || cases[0].Name != "two" || cases[0].Suite != "suite" || cases[1].Name != "three" {
				t.Errorf("the cases are %+v", cases)
			}
			attempt := mustGet(s.Attempts(t.Context(), uidOf(1)))(t)[0]
			if attempt.Counts != (Counts{Passed: 1, Failed: 1}) {
				t.Errorf("the attempt is %+v", attempt)
			}
			run, all, err := s.Usage(t.Context(), "default", uidOf(1))
			must(t, err)
			if run.Cases != 2 || all.Cases != 2 {
				t.Errorf("kept are %+v and %+v", run, all)
			}
		})
	}
}

// What tenants call their cases is kept apart and found again, whatever bytes it has.
func TestAnyNameIsKeptApartAndFoundAgain(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	names := []string{
		"plain", "plain ", " plain", "plain\n", "", "\x00", "a\x00b", "a\x01b", "\xff", "\xfe\xff", "\x1b[31mred", "red", "ü", "u\u0308",
		"\u202eevil", "'; DROP TABLE runs; --", `"quoted" \ $1 {rows} {lock}`, long, long + "1", long + "2", long[:512], long[:513],
		strings.Repeat("\xff", 1000), strings.Repeat("\xff", 1001), strings.Repeat("€", 300), strings.Repeat("€", 301),
	}
	for kind, opened := range both {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := opened(t)
			var lines []CaseLine
			for i, name := range names {
				line := lineOf(i+1, i, name, results.Failed)
				line.Suite, line.Location, line.Message = name, name, name
				lines = append(lines, line)
			}
			must(t, s.AddCases(t.Context(), ownerOf(1), lines))
			cases, _, err := s.Cases(t.Context(), CaseQuery{UID: uidOf(1), Attempt: 1})
			must(t, err)
			seen := map[string]int{}
			for i, c := range cases {
				if other, ok := seen[c.Name]; ok {
					t.Errorf("%.30q and %.30q are one", names[i], names[other])
				}
				seen[c.Name] = i
				if len(c.Name) > maxName+len("…") || len(c.Message) > maxText {
					t.Errorf("%.30q has %d bytes, and its message %d", c.Name, len(c.Name), len(c.Message))
				}
				for _, name := range []string{names[i], c.Name} {
					history, _, err := s.CaseHistory(t.Context(), CaseName{"default", "smoke", name, name}, HistoryKey{}, 10)
					if err != nil || len(history) != 1 || history[0].Number != int64(i+1) {
						t.Errorf("the history of %.30q is %+v, %v", name, history, err)
					}
				}
			}
			if len(cases) != len(names) {
				t.Errorf("there are %d cases", len(cases))
			}
		})
	}
}

func TestNoTextOfARunBreaksTheDatabase(t *testing.T) {
	for kind, opened := range both {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := opened(t)
			const evil = "\x00\xff'\";--\u202e"
			state := stateOf(1, 1, verdict("Failed"), func(s *RunState) {
				s.Run.Reason, s.Run.Message, s.Run.Series = evil, strings.Repeat(evil, 10_000), evil
				s.Run.Labels = map[string]string{evil: evil}
				for i := range 1000 {
					s.Run.Labels[fmt.Sprint("label", i)] = "x"
				}
				s.Attempts[0].Pod, s.Attempts[0].Node = evil, evil
				s.CasesOf, s.Cases = 1, []CaseResult{{Name: evil, Outcome: "Nonsense", Duration: -1}, {Name: "long", Duration: 1 << 62}}
			})
			must(t, s.Apply(t.Context(), Batch{Runs: []RunState{state}, Cursor: "1"}))
			run := mustGet(s.Run(t.Context(), uidOf(1)))(t)
			if len(run.Labels) != maxLabels || len(run.Message) > maxText {
				t.Errorf("the run has %d labels and a message of %d bytes", len(run.Labels), len(run.Message))
			}
			must(t, s.SetCut(t.Context(), ownerOf(1), output, FromRunner, evil))
			mustGet(s.SetEnd(t.Context(), ownerOf(1), push.End{Missing: []string{evil}, Streams: []push.StreamEnd{{Kind: push.Output, SHA256: evil}}}))(t)
			must(t, s.SetProgress(t.Context(), []AttemptProgress{{ownerOf(1), push.Progress{Done: -1, Failed: 1 << 62, Total: 1 << 62}}}))
			meaning(t, s)
		})
	}
}

func TestTimesOfZeroAreZero(t *testing.T) {
	for kind, opened := range both {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := opened(t)
			must(t, s.Apply(t.Context(), Batch{Runs: []RunState{{
				Run:     Run{UID: "x", Namespace: "default", Name: "x", Series: "x", Phase: "Finished", Verdict: "Passed", ResourceVersion: "1"},
				CasesOf: 1, Cases: []CaseResult{{Name: "c", Outcome: results.Passed}},
			}}}))
			run := mustGet(s.Run(t.Context(), "x"))(t)
			if !run.Created.IsZero() || !run.Started.IsZero() || !run.Finished.IsZero() || !run.Deleted.IsZero() {
				t.Errorf("the run is %+v", run)
			}
			runs, _, err := s.Runs(t.Context(), Filter{}, Page{})
			must(t, err)
			if len(runs) != 1 {
				t.Errorf("there are %d runs", len(runs))
			}
		})
	}
}
