package archive

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestPercentilesAreRightToFivePercent(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, count := range []int{1, 2, 19, 20, 21, 1000} {
		for _, longest := range []time.Duration{time.Second, time.Minute, 100 * time.Hour} {
			h := histogram{}
			var all []time.Duration
			for range count {
				all = append(all, 2*time.Millisecond+time.Duration(random.ExpFloat64()*float64(longest)/10))
				h.add(histogram{classOf(all[len(all)-1]): 1})
			}
			slices.Sort(all)
			for _, percent := range []int{1, 50, 95, 100} {
				want := all[int(math.Ceil(float64(count*percent)/100))-1]
				if got := h.percentile(int64(percent)); math.Abs(float64(got-want)) > 0.05*float64(want) {
					t.Errorf("of %d durations up to %s, %d %% took %s at most, and it says %s", count, longest, percent, want, got)
				}
			}
		}
	}
}

func TestAHistogramIsReadAsItWasWritten(t *testing.T) {
	for name, h := range map[string]histogram{
		"nothing": {}, "the shortest": {0: 1}, "the longest": {classOf(math.MaxInt64): 3}, "many": {0: 5, 7: 1000, 8: 1, 90: 3},
	} {
		got, err := decodeHistogram(h.encode())
		if err != nil || !maps.Equal(got, h) {
			t.Errorf("%s: it is %v, %v", name, got, err)
		}
	}
	if data := (histogram{100: 50, 101: 9, 110: 1, 120: 200}).encode(); len(data) > 12 {
		t.Errorf("four classes take %d bytes", len(data))
	}
	for _, data := range [][]byte{{2}, {1, 1}, {1, 255}, {1, 255, 255, 1, 1}, {1, 1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1}} {
		if h, err := decodeHistogram(data); err == nil {
			t.Errorf("%v is read as %v", data, h)
		}
	}
}

func TestATrendSaysHowLongRunsTake(t *testing.T) {
	for kind, opened := range both {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := opened(t)
			lasting := func(n int, d time.Duration, version int) RunState {
				return stateOf(n, version, verdict("Passed"), func(s *RunState) { s.Run.Finished = s.Run.Started.Add(d) })
			}
			for n := range 100 {
				must(t, s.Apply(t.Context(), Batch{Runs: []RunState{lasting(n, time.Duration(n+1)*time.Second, n+1)}}))
			}
			// It is counted once, however often it changes.
			must(t, s.Apply(t.Context(), Batch{Runs: []RunState{lasting(0, time.Hour, 200)}}))
			must(t, s.Apply(t.Context(), Batch{Runs: []RunState{lasting(0, time.Second, 201)}}))
			// A run that never started took no time.
			must(t, s.Apply(t.Context(), Batch{Runs: []RunState{stateOf(100, 202, verdict("Cancelled"), func(s *RunState) { s.Run.Started = time.Time{} })}}))
			days := mustGet(s.Trend(t.Context(), "default", "smoke", epoch, epoch.AddDate(0, 0, 1)))(t)
			if len(days) != 1 || days[0].Runs != 101 {
				t.Fatalf("the days are %+v", days)
			}
			for name, c := range map[string][2]time.Duration{"p50": {days[0].P50, 50 * time.Second}, "p95": {days[0].P95, 95 * time.Second}} {
				if math.Abs(float64(c[0]-c[1])) > 0.05*float64(c[1]) {
					t.Errorf("the %s is %s and should be %s", name, c[0], c[1])
				}
			}
		})
	}
}
