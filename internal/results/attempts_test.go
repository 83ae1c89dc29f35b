package results

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// attempts are outcomes by their first letters. A | begins a run that repeats what failed.
func attempts(a *Attempts, name, outcomes string, take func(key Key, c Case)) {
	again := false
	for i, letter := range outcomes {
		if letter == '|' {
			again = true
			continue
		}
		outcome := map[rune]Outcome{'p': Passed, 'f': Failed, 'e': Errored, 's': Skipped}[letter]
		c := Case{Name: name, Outcome: outcome}
		if outcome != Passed {
			c.Message = fmt.Sprintf("%d", i)
		}
		if again {
			a.Retry(KeyOf(name), c)
		} else {
			take(KeyOf(name), c)
		}
	}
}

// counted is "passed/failed/errored/skipped, n flaky: outcome message, …" with the cases that say why.
func counted(s *Summary) string {
	text := fmt.Sprintf("%d/%d/%d/%d, %d flaky", s.Passed, s.Failed, s.Errored, s.Skipped, s.Flaky)
	for _, c := range s.Cases() {
		if c.Message != "" {
			text += fmt.Sprintf(", %s %s", c.Outcome, c.Message)
		}
	}
	return text
}

func TestTheLastAttemptOfARepeatedRunDecides(t *testing.T) {
	tests := map[string]string{
		"f|p":      "1/0/0/0, 1 flaky, Passed 0",
		"e|p":      "1/0/0/0, 1 flaky, Passed 0",
		"f|ffp":    "1/0/0/0, 1 flaky, Passed 0",
		"f|f":      "0/1/0/0, 0 flaky, Failed 0",
		"f|pf":     "0/1/0/0, 0 flaky, Failed 0",
		"f|pfp":    "1/0/0/0, 1 flaky, Passed 0",
		"f|s":      "0/1/0/0, 0 flaky, Failed 0",
		"p|p":      "1/0/0/0, 0 flaky",
		"p|f":      "1/1/0/0, 0 flaky, Failed 2",
		"|fp":      "1/0/0/0, 1 flaky, Passed 1",
		"fp":       "1/1/0/0, 0 flaky, Failed 0", // what go test -count=2 prints
		"pfpf":     "2/2/0/0, 0 flaky, Failed 1, Failed 3",
		"ff|p":     "1/1/0/0, 1 flaky, Failed 1, Passed 0",
		"fp|p":     "2/0/0/0, 1 flaky, Passed 0",
		"s|s":      "0/0/0/2, 0 flaky, Skipped 0, Skipped 2",
		"e|pe|p|p": "1/0/0/0, 1 flaky, Passed 0",
	}
	for outcomes, want := range tests {
		t.Run(outcomes, func(t *testing.T) {
			var s Summary
			a := NewAttempts(&s)
			attempts(a, "a", outcomes, a.Add)
			if got := counted(&s); got != want {
				t.Errorf("it counts %s, want %s", got, want)
			}
		})
	}
}

func TestARepeatedNameIsAFurtherAttemptOnlyAfterAFailure(t *testing.T) {
	tests := []struct{ outcomes, want, unique, distrusted string }{
		{"fp", "1/0/0/0, 1 flaky, Passed 0", "", "1/1/0/0, 0 flaky, Failed 0"},
		{"ffp", "1/0/0/0, 1 flaky, Passed 0", "", "1/2/0/0, 0 flaky, Failed 0"},
		{"fpp", "1/0/0/0, 1 flaky, Passed 0", "", "2/1/0/0, 0 flaky, Failed 0"},
		{"ep", "1/0/0/0, 1 flaky, Passed 0", "", "1/0/1/0, 0 flaky, Errored 0"},
		{"ff", "0/1/0/0, 0 flaky, Failed 0", "", ""},
		{"fe", "0/1/0/0, 0 flaky, Failed 0", "", ""},
		{"pp", "2/0/0/0, 0 flaky", "", ""},
		{"pf", "1/1/0/0, 0 flaky, Failed 1", "", ""},
		{"pfp", "2/1/0/0, 0 flaky, Failed 1", "", ""},
		{"ppffp", "3/2/0/0, 0 flaky, Failed 2, Failed 3", "", ""},
		{"fpf", "1/2/0/0, 0 flaky, Failed 0, Failed 2", "0/1/0/0, 0 flaky, Failed 0", ""},
		{"fpfp", "2/2/0/0, 0 flaky, Failed 0, Failed 2", "1/0/0/0, 1 flaky, Passed 0", ""},
		{"ffppf", "2/3/0/0, 0 flaky, Failed 0, Failed 4", "0/1/0/0, 0 flaky, Failed 0", ""},
		{"fs", "0/1/0/1, 0 flaky, Failed 0, Skipped 1", "", ""},
	}
	for _, test := range tests {
		t.Run(test.outcomes, func(t *testing.T) {
			for unique, want := range map[bool]string{false: test.want, true: test.want} {
				if unique && test.unique != "" {
					want = test.unique
				}
				if unique && strings.HasPrefix(test.outcomes, "p") {
					continue
				}
				var s Summary
				a := NewAttempts(&s)
				attempts(a, "a", test.outcomes, func(key Key, c Case) { a.Repeat(key, c, unique) })
				if got := counted(&s); got != want {
					t.Errorf("unique %t: it counts %s, want %s", unique, got, want)
				}
				if !unique && test.distrusted != "" {
					want = test.distrusted
				}
				a.Distrust()
				if !unique && counted(&s) != want {
					t.Errorf("distrusted it counts %s, want %s", counted(&s), want)
				}
			}
		})
	}
}

func TestAFailureThatThereIsNoRoomForStaysOne(t *testing.T) {
	var s Summary
	a := NewAttempts(&s)
	name := func(i int) Key { return KeyOf(fmt.Sprint(i)) }
	for i := range 2 * maxFailed {
		a.Repeat(name(i), Case{Outcome: Failed}, false)
	}
	for i := range 2 * maxFailed {
		a.Repeat(name(i), Case{Outcome: Passed}, false)
	}
	if s.Flaky != maxFailed || s.Failed != maxFailed || s.Passed != 2*maxFailed {
		t.Errorf("%d are flaky, %d failed, %d passed", s.Flaky, s.Failed, s.Passed)
	}
}

func TestAFlakyCaseShowsItsFirstFailureAndGivesItsPlaceToTheNext(t *testing.T) {
	var s Summary
	all := &Recorder{}
	a := NewAttempts(both{t, &s, all})
	key := KeyOf("shop", "till")
	a.Add(key, Case{Suite: "shop", Name: "till", Outcome: Failed, Message: "stuck", Location: "till.go:9", Duration: 2})
	a.Add(KeyOf("shop", "cart"), Case{Suite: "shop", Name: "cart", Outcome: Failed})
	before := s.Cases()
	a.Retry(key, Case{Suite: "shop", Name: "till", Outcome: Passed, Duration: 1})
	after := s.Cases()
	if len(after) != 2 || after[0].Name != "cart" || after[1].Message != "stuck" || after[1].Location != "till.go:9" || after[1].Duration != 1 {
		t.Errorf("it shows %+v", after)
	}
	if before[0].Name != "till" || before[0].Outcome != Failed || s.Duration != 3 {
		t.Errorf("before it showed %+v, and it took %d", before, s.Duration)
	}
	if till := all.Cases[0]; len(all.Cases) != 2 || len(till) != 2 || till[0].Message != "stuck" || till[1].Outcome != Passed {
		t.Errorf("recorded are %+v", all.Cases)
	}
}

// Whatever comes, each failure that nothing forgives is counted, and what is kept agrees with the counts.
func TestCountsStayConsistentWhateverComes(t *testing.T) {
	outcomes := []Outcome{Passed, Passed, Failed, Failed, Errored, Skipped}
	for seed := range uint64(3000) {
		random := rand.New(rand.NewPCG(seed, 1))
		var s Summary
		all := &Recorder{}
		a := NewAttempts(both{t, &s, all})
		last := map[string]Outcome{}
		for range random.IntN(60) {
			c := Case{Name: fmt.Sprint(random.IntN(5)), Outcome: outcomes[random.IntN(len(outcomes))]}
			switch random.IntN(3) {
			case 0:
				a.Add(KeyOf(c.Name), c)
			case 1:
				a.Retry(KeyOf(c.Name), c)
			default:
				a.Repeat(KeyOf(c.Name), c, random.IntN(2) == 0)
			}
			if c.Outcome != Skipped {
				last[c.Name] = c.Outcome
			}
			if random.IntN(50) == 0 {
				a.Distrust()
			}
		}
		if got := all.Count(); got != [...]int64{s.Passed, s.Failed + s.Errored, s.Skipped, s.Flaky} {
			t.Fatalf("seed %d: recorded are %v, and counted %s", seed, got, counted(&s))
		}
		kept := map[Outcome]int64{}
		flaky := int64(0)
		failing := map[string]bool{}
		for _, c := range s.Cases() {
			kept[c.Outcome]++
			failing[c.Name] = failing[c.Name] || c.Outcome == Failed || c.Outcome == Errored
			if c.Flaky {
				flaky++
			}
		}
		if s.Total() <= MaxCases && (kept[Passed] != s.Passed || kept[Failed] != s.Failed || kept[Errored] != s.Errored || kept[Skipped] != s.Skipped || flaky != s.Flaky) {
			t.Fatalf("seed %d: kept are %v, %d flaky, and counted %s", seed, kept, flaky, counted(&s))
		}
		for name, outcome := range last {
			if outcome != Passed && !failing[name] {
				t.Fatalf("seed %d: %s ended with %s, and no case says so: %+v", seed, name, outcome, s.Cases())
			}
		}
	}
}
