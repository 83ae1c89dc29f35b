package main

import (
	"testing"
	"time"
)

func TestQuantiles(t *testing.T) {
	var durations []time.Duration
	for i := 100; i > 0; i-- {
		durations = append(durations, time.Duration(i)*time.Millisecond)
	}
	if got, want := quantilesOf(durations), (quantiles{50, 90, 99}); got != want {
		t.Errorf("of 1 to 100: %v, want %v", got, want)
	}
	if got, want := quantilesOf(durations[:3]), (quantiles{2, 3, 3}); got != want {
		t.Errorf("of 1 to 3: %v, want %v", got, want)
	}
	if got, want := quantilesOf([]time.Duration{7 * time.Millisecond}), (quantiles{7, 7, 7}); got != want {
		t.Errorf("of one: %v, want %v", got, want)
	}
}

func TestASampleIsTheMedianAndWhatIsAroundIt(t *testing.T) {
	for name, test := range map[string]struct {
		values []float64
		want   sample
	}{
		"an odd number":  {[]float64{3, 1, 7}, sample{3, 1, 7}},
		"an even number": {[]float64{4, 1, 2, 9}, sample{3, 1, 9}},
		"one":            {[]float64{5}, sample{5, 5, 5}},
	} {
		if got := sampleOf(test.values); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

func TestTheRateCountsFromTheFirstRequestToTheLastEnd(t *testing.T) {
	begin := time.Now()
	runs := []timeline{{finished: begin.Add(4 * time.Second)}, {finished: begin.Add(time.Second)}}
	if got := finishedPerSecond(begin, runs); got != 0.5 {
		t.Errorf("2 runs in 4 seconds: %v a second", got)
	}
}
