package archive

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestTheCountsOfABucketAreReadAsTheyWereWritten(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	number := func() int64 { return random.Int64N(1 << random.IntN(40)) }
	for range 500 {
		var want, got bucketCounts
		share := random.IntN(bucketSize + 1)
		for id := range want {
			if random.IntN(bucketSize) >= share {
				continue
			}
			want[id] = caseCounts{runs: 1 + number(), duration: number()}
			if random.IntN(2) == 0 {
				want[id].failed, want[id].skipped, want[id].flaky = number(), number(), number()
			}
		}
		data := want.encode()
		if err := got.decode(data); err != nil || got != want {
			t.Fatalf("%v became %v: %v", want, got, err)
		}
		// What is damaged is refused, or has another meaning; it never breaks the reader.
		for range 20 {
			damaged := append([]byte(nil), data...)
			damaged[random.IntN(len(damaged))] ^= byte(1 + random.IntN(255))
			_ = got.decode(damaged[:random.IntN(len(damaged)+1)])
		}
	}
}

func TestDamagedCountsAreRefused(t *testing.T) {
	for name, data := range map[string][]byte{
		"another format":        {2},
		"nothing after the gap": {1, 0},
		"no duration":           {1, 0, 2},
		"a case too many":       {1, 0x80, 2, 2, 0},
		"a case beyond":         {1, 0xff, 1, 2, 0, 0, 2, 0},
		"a gap beyond numbers":  {1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 0},
		"a number without end":  {1, 0, 0xff, 0xff},
	} {
		t.Run(name, func(t *testing.T) {
			var counts bucketCounts
			if err := counts.decode(data); err == nil {
				t.Errorf("it is read as %v", counts)
			}
		})
	}
}

// Lines come twice, are replaced and withdrawn, in several buckets: in the end each case has what its last line said.
func TestTheDaysOfManyCasesAreThoseOfTheirLastLines(t *testing.T) {
	const cases, runs = 3*bucketSize + 10, 4
	for kind, opened := range both {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := opened(t)
			var want [cases]caseCounts
			for n := range runs {
				random := rand.New(rand.NewPCG(uint64(n), 3))
				var lines, last []CaseLine
				for i := range cases {
					for version := range 3 {
						line := lineOf(i+1, 3*i+version, fmt.Sprint("case ", i), outcomeNumbers[random.IntN(len(outcomeNumbers))])
						line.Microseconds, line.Flaky = random.Int64N(1_000_000), random.IntN(5) == 0
						if random.IntN(10) == 0 {
							line = CaseLine{Offset: line.Offset}
							line.Number = int64(i + 1)
						}
						lines = append(lines, line)
						if version == 2 {
							last = append(last, line)
						}
					}
				}
				random.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
				for len(lines) > 0 {
					portion := min(700, len(lines))
					must(t, s.AddCases(t.Context(), ownerOf(n), lines[:portion]))
					lines = lines[portion:]
				}
				for i, line := range last {
					if !isWithdrawn(line.Case) {
						want[i].add(&caseRow{outcome: outcomeNumber(line.Outcome), flaky: bit(line.Flaky), duration: line.Microseconds}, 1)
					}
				}
			}
			for i, w := range want {
				var got caseCounts
				days, err := s.CaseTrend(t.Context(), CaseName{"default", "smoke", "suite", fmt.Sprint("case ", i)}, epoch, epoch.AddDate(0, 0, 1))
				must(t, err)
				for _, day := range days {
					got = caseCounts{day.Runs, day.Failed, day.Runs - day.Failed - day.Passed, day.Flaky, day.Duration.Microseconds()}
				}
				if got != w {
					t.Errorf("case %d has %+v, and not %+v", i, got, w)
				}
			}
		})
	}
}
