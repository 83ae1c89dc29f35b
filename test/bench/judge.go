package main

import "math"

// verdict says whether a target is met.
type verdict string

const (
	met    verdict = "met"
	missed verdict = "missed"
	// notDecided: the rounds differ by more than what there is between their median and the target, or are too few to tell.
	notDecided verdict = "not decided"
)

const enoughRounds = 3

// target is a promise, and what was measured.
type target struct {
	What    string  `json:"what"`
	Unit    string  `json:"unit,omitempty"`
	Limit   float64 `json:"limit"`
	AtLeast bool    `json:"atLeast"` // the limit is the least that is wanted, and otherwise the most
	Sample  sample  `json:"measured"`
	Verdict verdict `json:"verdict"`
}

// judge compares what the rounds have measured with the targets.
func judge(rounds []round) []target {
	atLeast := func(what, unit string, limit float64, figure measure) target {
		return judged(target{What: what, Unit: unit, Limit: limit, AtLeast: true}, rounds, figure)
	}
	atMost := func(what, unit string, limit float64, figure measure) target {
		return judged(target{What: what, Unit: unit, Limit: limit}, rounds, figure)
	}
	return []target{
		atLeast("runs finished a second / bare Jobs", "", 0.85, func(r round) float64 {
			return r.Runs.FinishedPerSecond / r.jobsPerSecond()
		}),
		atLeast("runs finished a second without pods / bare Jobs", "", 3, func(r round) float64 {
			return r.Ceiling.FinishedPerSecond / r.jobsPerSecond()
		}),
		atMost("the operator's CPU time for a run", "ms", 4, func(r round) float64 { return r.Runs.CPU }),
		atMost("from TestRun to its Job, idle, p99 / creating a Job, p99", "", 3, func(r round) float64 {
			return r.OneByOne.UntilJob.P99 / r.OneByOne.CreateCall.P99
		}),
		atMost("API writes for a run beyond its creation and Kubernetes' own", "", 3, func(r round) float64 {
			return r.addedRequests().writes()
		}),
	}
}

func judged(t target, rounds []round, figure measure) target {
	t.Sample = report{Rounds: rounds}.sample(figure)
	isMet := t.Sample.Median <= t.Limit
	if t.AtLeast {
		isMet = t.Sample.Median >= t.Limit
	}
	switch {
	case len(rounds) < enoughRounds, t.Sample.spread() > math.Abs(t.Sample.Median-t.Limit):
		t.Verdict = notDecided
	case isMet:
		t.Verdict = met
	default:
		t.Verdict = missed
	}
	return t
}
