package main

import (
	"slices"
	"testing"
)

func TestAVerdictNeedsRoundsThatDifferLessThanWhatTheyDecide(t *testing.T) {
	tests := map[string]struct {
		atLeast bool
		values  []float64
		want    verdict
	}{
		"more than is wanted":                   {true, []float64{0.94, 0.95, 0.96}, met},
		"less than is wanted":                   {true, []float64{0.60, 0.61, 0.62}, missed},
		"more, and too far apart":               {true, []float64{0.80, 0.90, 0.95}, notDecided},
		"less, and too far apart":               {true, []float64{0.50, 0.80, 0.84}, notDecided},
		"at the limit, always":                  {true, []float64{0.85, 0.85, 0.85}, met},
		"no more than is allowed":               {false, []float64{0.2, 0.25, 0.3}, met},
		"more than is allowed":                  {false, []float64{1.5, 1.55, 1.6}, missed},
		"rounds that are too few":               {false, []float64{0.1, 0.1}, notDecided},
		"within what is allowed, too far apart": {false, []float64{0.1, 0.8, 0.9}, notDecided},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var rounds []round
			for _, value := range test.values {
				rounds = append(rounds, round{Runs: part{CPU: value}})
			}
			got := judged(target{Limit: 0.85, AtLeast: test.atLeast}, rounds, func(r round) float64 { return r.Runs.CPU })
			if got.Verdict != test.want {
				t.Errorf("%v: %s, want %s", got.Sample, got.Verdict, test.want)
			}
		})
	}
}

func TestRunsAreComparedWithTheBareJobsAroundThem(t *testing.T) {
	targets := judgeRounds([]round{{
		JobsBefore: part{FinishedPerSecond: 50, ServerCPU: 20, Requests: requests{"pods POST": 1, "jobs POST": 1}},
		RunsOfTest: part{FinishedPerSecond: 48},
		Runs:       part{FinishedPerSecond: 54, ServerCPU: 40, Requests: requests{"pods POST": 1, "jobs POST": 1, "testruns POST": 1, "events POST": 2}},
		JobsAfter:  part{FinishedPerSecond: 70, ServerCPU: 24, Requests: requests{"pods POST": 1, "jobs POST": 1}},
		OneByOne:   alone{CreateCall: quantiles{P99: 1}},
	}})
	for what, want := range map[string]float64{
		"runs of a Test finished a second / bare Jobs":                 0.8,
		"inline runs finished a second / bare Jobs":                    0.9,
		"the API server's CPU time that a run adds to a bare Job's":    18,
		"API writes for a run beyond its creation and Kubernetes' own": 1, // events do not count
	} {
		at := slices.IndexFunc(targets, func(t target) bool { return t.What == what })
		if got := targets[at].Sample.Median; got != want {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
}
