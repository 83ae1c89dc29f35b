package main

import (
	"fmt"
	"math"
)

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

// judge compares what was measured with the targets.
func (r *report) judge() {
	if len(r.Rounds) > 0 {
		r.Targets = append(r.Targets, judgeRounds(r.Rounds)...)
	}
	if len(r.Pods) > 0 {
		r.Targets = append(r.Targets, judgePods(r.Pods)...)
	}
	if len(r.Scale) > 0 {
		r.Targets = append(r.Targets, judgeScale(r.Scale)...)
	}
	if len(r.Archived) > 0 {
		r.Targets = append(r.Targets, judgeArchived(r.Archived)...)
	}
}

func judgeRounds(rounds []round) []target {
	atLeast := func(what, unit string, limit float64, figure measure) target {
		return judged(target{What: what, Unit: unit, Limit: limit, AtLeast: true}, rounds, figure)
	}
	atMost := func(what, unit string, limit float64, figure measure) target {
		return judged(target{What: what, Unit: unit, Limit: limit}, rounds, figure)
	}
	return []target{
		atLeast("runs of a Test finished a second / bare Jobs", "", 0.8, func(r round) float64 {
			return r.RunsOfTest.FinishedPerSecond / r.jobsPerSecond()
		}),
		atLeast("inline runs finished a second / bare Jobs", "", 0.72, func(r round) float64 {
			return r.Runs.FinishedPerSecond / r.jobsPerSecond()
		}),
		atLeast("runs finished a second whose pods end at once / bare Jobs", "", 3, func(r round) float64 {
			return r.Ceiling.FinishedPerSecond / r.jobsPerSecond()
		}),
		atMost("the operator's CPU time for a run", "ms", 4.5, func(r round) float64 { return r.Runs.CPU }),
		atMost("the API server's CPU time that a run adds to a bare Job's", "ms", 13, round.addedServerCPU),
		atMost("from TestRun to its Job, idle, p99 / creating a Job, p99", "", 3, func(r round) float64 {
			return r.OneByOne.UntilJob.P99 / r.OneByOne.CreateCall.P99
		}),
		atMost("API writes for a run beyond its creation and Kubernetes' own", "", 3, func(r round) float64 {
			return r.addedRequests().writes()
		}),
	}
}

func judged[R any](t target, rounds []R, figure func(R) float64) target {
	return t.decided(sampleBy(rounds, figure), len(rounds))
}

func judgePods(rounds []podRound) []target {
	atMost := func(what, unit string, limit float64, figure func(podRound) float64) target {
		return judged(target{What: what, Unit: unit, Limit: limit}, rounds, figure)
	}
	return []target{
		atMost("the runner adds to a pod without volume, by image volume, p50", "ms", 150, func(r podRound) float64 {
			return r.ImageVolume.NoVolume.runnerAdds()
		}),
		atMost("the runner adds to a pod with a token, by image volume, p50", "ms", 150, func(r podRound) float64 {
			return r.ImageVolume.Token.runnerAdds()
		}),
		atMost("the runner's peak memory", "MiB", 12, func(r podRound) float64 {
			return max(r.ImageVolume.RunnerMiB, r.InitContainer.RunnerMiB)
		}),
	}
}

// decided has the verdict of so many measurements.
func (t target) decided(measured sample, times int) target {
	t.Sample = measured
	isMet := t.Sample.Median <= t.Limit
	if t.AtLeast {
		isMet = t.Sample.Median >= t.Limit
	}
	switch {
	case times < enoughRounds, t.Sample.spread() > math.Abs(t.Sample.Median-t.Limit):
		t.Verdict = notDecided
	case isMet:
		t.Verdict = met
	default:
		t.Verdict = missed
	}
	return t
}

// judgeScale has one measurement of each.
func judgeScale(scales []scale) []target {
	once := func(what, unit string, limit, measured float64) target {
		return target{What: what, Unit: unit, Limit: limit}.decided(sampleOf([]float64{measured}), 1)
	}
	most := scales[len(scales)-1]
	targets := []target{
		once(fmt.Sprintf("restart to the first new Job / listing %d kept runs", most.Kept), "", 2, most.Restart/most.List),
		once(fmt.Sprintf("peak memory with %d kept", most.Kept), "MiB", 1024, most.PeakMiB),
	}
	if len(scales) > 1 {
		targets = append(targets, once("memory for a kept run", "KiB", 6, perKept(scales[0], most, func(s scale) float64 { return s.RSSMiB })))
	}
	return targets
}

// perKept is by how many KiB a figure in MiB grows with each kept run.
func perKept(few, many scale, figure func(scale) float64) float64 {
	return (figure(many) - figure(few)) * 1024 / float64(many.Kept-few.Kept)
}
