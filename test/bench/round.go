package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"k8s.io/utils/ptr"
)

// bench has what all rounds need.
type bench struct {
	settings
	kubernetes *cluster
	// bare is an API server with none of Kubernetes' controllers.
	bare *cluster
}

// round is what is measured in one round.
type round struct {
	JobsBefore part    `json:"jobsBefore"`
	Runs       part    `json:"runs"`
	RunsOfTest part    `json:"runsOfTest"`
	JobsAfter  part    `json:"jobsAfter"`
	SteadyJobs part    `json:"steadyJobs"`
	SteadyRuns part    `json:"steadyRuns"`
	OneByOne   alone   `json:"oneByOne"`
	Ceiling    ceiling `json:"ceiling"`
}

// jobsPerSecond is what runs are compared with.
func (r round) jobsPerSecond() float64 {
	return (r.JobsBefore.FinishedPerSecond + r.JobsAfter.FinishedPerSecond) / 2
}

// addedServerCPU is the CPU time of the API server that each run costs beyond a bare Job, in milliseconds.
func (r round) addedServerCPU() float64 {
	return r.Runs.ServerCPU - (r.JobsBefore.ServerCPU+r.JobsAfter.ServerCPU)/2
}

// addedRequests is what each run costs the API server beyond a bare Job.
func (r round) addedRequests() requests {
	jobs := requests{}
	for _, bare := range []requests{r.JobsBefore.Requests, r.JobsAfter.Requests} {
		for key, n := range bare {
			jobs[key] += n / 2
		}
	}
	return r.Runs.Requests.minus(jobs)
}

// part is what is measured of some runs, or bare Jobs.
type part struct {
	FinishedPerSecond float64   `json:"finishedPerSecond"`
	UntilJob          quantiles `json:"untilJobMilliseconds"`
	UntilFinished     quantiles `json:"untilFinishedMilliseconds"`
	Requests          requests  `json:"requestsPerRun"`
	Reviews           float64   `json:"reviewsPerRun"`
	CPU               float64   `json:"operatorCPUMillisecondsPerRun"`
	ServerCPU         float64   `json:"apiServerCPUMillisecondsPerRun"`
	MachineCPU        float64   `json:"machineCPUMillisecondsPerRun"`
	PeakMiB           float64   `json:"operatorPeakMiB"`
}

// round measures one round. Inline runs come before those of a Test in one round, and after them in the next: what comes later finds the
// cluster a little slower.
func (b *bench) round(ctx context.Context, number int) (r round, err error) {
	operator, err := startManager(ctx, b.kubernetes, b.manager, b.logFile())
	defer operator.stop()
	if err != nil {
		return r, err
	}
	all := load{kind: bareJobs, runs: b.Runs, clients: b.Clients, template: simulatedPod(b.Duration.Duration)}
	if r.JobsBefore, err = b.part(ctx, operator, all); err != nil {
		return r, err
	}
	inTurn := []struct {
		kind kind
		part *part
	}{{testRuns, &r.Runs}, {runsOfTest, &r.RunsOfTest}}
	if number%2 == 1 {
		slices.Reverse(inTurn)
	}
	for _, next := range inTurn {
		all.kind = next.kind
		if *next.part, err = b.part(ctx, operator, all); err != nil {
			return r, err
		}
	}
	all.kind = bareJobs
	if r.JobsAfter, err = b.part(ctx, operator, all); err != nil {
		return r, err
	}
	// At half the rate that is possible nothing piles up.
	steady := all
	steady.runs, steady.rate = max(1, b.Runs/2), r.jobsPerSecond()/2
	if r.SteadyJobs, err = b.part(ctx, operator, steady); err != nil {
		return r, err
	}
	steady.kind = testRuns
	if r.SteadyRuns, err = b.part(ctx, operator, steady); err != nil {
		return r, err
	}
	if r.OneByOne, err = b.oneByOne(ctx); err != nil {
		return r, err
	}
	r.Ceiling, err = b.ceiling(ctx)
	return r, err
}

// part creates what the load says, in a namespace of its own, waits for the end of all, and takes it away.
func (b *bench) part(ctx context.Context, operator *manager, l load) (p part, err error) {
	namespace, err := b.kubernetes.newNamespace(ctx, true)
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, b.kubernetes.removeNamespace(context.WithoutCancel(ctx), namespace)) }()
	tracked, err := l.kind.track(ctx, b.kubernetes, namespace, l.runs)
	defer tracked.stop()
	if err != nil {
		return p, err
	}
	if l.kind.prepare != nil {
		if err := l.kind.prepare(ctx, b.kubernetes, namespace, l.template); err != nil {
			return p, fmt.Errorf("preparing %s: %w", l.kind.name, err)
		}
	}
	before, err := b.kubernetes.settled(ctx)
	if err != nil {
		return p, err
	}
	usedBefore, err := operator.used()
	if err != nil {
		return p, err
	}

	if b.profiles != "" && l.kind.name == testRuns.name {
		profiled := operator.profile(ctx, filepath.Join(b.profiles, fmt.Sprintf("at-%.0f.pprof", l.rate)))
		defer func() { err = errors.Join(err, profiled()) }()
	}
	begin := time.Now()
	if err := l.create(ctx, b.kubernetes, namespace); err != nil {
		return p, fmt.Errorf("creating %s: %w", l.kind.name, err)
	}
	if err := tracked.wait(ctx, l.runs, patience+time.Duration(l.runs)*time.Second/5); err != nil {
		return p, fmt.Errorf("waiting for %s: %w", l.kind.name, err)
	}

	after, err := b.kubernetes.settled(ctx)
	if err != nil {
		return p, err
	}
	usedAfter, err := operator.used()
	if err != nil {
		return p, err
	}
	if p.PeakMiB, err = operator.peakMiB(); err != nil {
		return p, err
	}
	seen := tracked.timelines()
	p.FinishedPerSecond = finishedPerSecond(begin, seen)
	p.UntilJob, p.UntilFinished = untilJob(seen), untilFinished(seen)
	p.Requests = after.requests.minus(before.requests).per(l.runs)
	p.Reviews = (after.reviews - before.reviews) / float64(l.runs)
	p.ServerCPU = milliseconds(after.cpu-before.cpu) / float64(l.runs)
	p.CPU = milliseconds(usedAfter.operator-usedBefore.operator) / float64(l.runs)
	p.MachineCPU = milliseconds(usedAfter.machine-usedBefore.machine) / float64(l.runs)
	fmt.Printf("  %-18s %5d %-12s %6.1f/s, from created to finished p50 %5.0f ms, p99 %5.0f ms\n",
		l.kind.name, l.runs, l.how(), p.FinishedPerSecond, p.UntilFinished.P50, p.UntilFinished.P99)
	return p, nil
}

func (l load) how() string {
	if l.rate == 0 {
		return "at once:"
	}
	return fmt.Sprintf("at %.0f/s:", l.rate)
}

// alone is what is measured of runs that are created one by one, when there is nothing else to do.
type alone struct {
	// CreateCall is one call that creates a bare Job.
	CreateCall quantiles `json:"createCallMilliseconds"`
	UntilJob   quantiles `json:"untilJobMilliseconds"`
}

func (b *bench) oneByOne(ctx context.Context) (a alone, err error) {
	namespace, err := b.kubernetes.newNamespace(ctx, true)
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, b.kubernetes.removeNamespace(context.WithoutCancel(ctx), namespace)) }()
	runs, err := trackRuns(ctx, b.kubernetes, namespace, b.OneByOne)
	defer runs.stop()
	if err != nil {
		return a, err
	}
	var calls []time.Duration
	for i := range b.OneByOne {
		job := newBareJob(namespace, fmt.Sprintf("job-%d", i), simulatedPod(0))
		job.Spec.Suspend = ptr.To(true) // only the call is of interest
		begin := time.Now()
		if err := b.kubernetes.Create(ctx, job); err != nil {
			return a, err
		}
		calls = append(calls, time.Since(begin))
		if err := b.kubernetes.Create(ctx, newRun(namespace, fmt.Sprintf("run-%d", i), simulatedPod(0))); err != nil {
			return a, err
		}
		if err := runs.wait(ctx, 1, patience); err != nil {
			return a, err
		}
	}
	seen := runs.timelines()
	a.CreateCall, a.UntilJob = quantilesOf(calls), untilJob(seen)
	fmt.Printf("  one by one: creating a Job takes p50 %.1f ms, p99 %.1f ms; from TestRun to its Job it takes p50 %.1f ms, p99 %.1f ms\n",
		a.CreateCall.P50, a.CreateCall.P99, a.UntilJob.P50, a.UntilJob.P99)
	return a, nil
}
