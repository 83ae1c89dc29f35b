package main

import (
	"math"
	"slices"
	"time"
)

// quantiles are of durations, in milliseconds.
type quantiles struct {
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P99 float64 `json:"p99"`
}

func quantilesOf(durations []time.Duration) quantiles {
	slices.Sort(durations)
	return quantiles{quantile(durations, 0.5), quantile(durations, 0.9), quantile(durations, 0.99)}
}

// quantile is the smallest of the sorted durations that at least that share of them does not exceed.
func quantile(sorted []time.Duration, share float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	rank := int(math.Ceil(share*float64(len(sorted)))) - 1
	return milliseconds(sorted[max(0, rank)])
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// sample is a figure that was measured once a round.
type sample struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

func sampleOf(values []float64) sample {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return sample{(sorted[(n-1)/2] + sorted[n/2]) / 2, sorted[0], sorted[n-1]}
}

// sampleBy takes one figure out of each round.
func sampleBy[R any](rounds []R, figure func(R) float64) sample {
	values := make([]float64, 0, len(rounds))
	for _, round := range rounds {
		values = append(values, figure(round))
	}
	return sampleOf(values)
}

// spread is how far apart the rounds are.
func (s sample) spread() float64 { return s.Max - s.Min }

// finishedPerSecond counts from when the first was asked for to when the last was seen to have finished.
func finishedPerSecond(begin time.Time, runs []timeline) float64 {
	last := slices.MaxFunc(runs, func(a, b timeline) int { return a.finished.Compare(b.finished) })
	return float64(len(runs)) / last.finished.Sub(begin).Seconds()
}

func untilJob(runs []timeline) quantiles {
	return eachOf(runs, func(t timeline) time.Duration { return t.job.Sub(t.created) })
}

func untilFinished(runs []timeline) quantiles {
	return eachOf(runs, func(t timeline) time.Duration { return t.finished.Sub(t.created) })
}

func eachOf(runs []timeline, measure func(timeline) time.Duration) quantiles {
	durations := make([]time.Duration, 0, len(runs))
	for _, run := range runs {
		durations = append(durations, measure(run))
	}
	return quantilesOf(durations)
}
