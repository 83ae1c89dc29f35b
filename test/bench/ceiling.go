package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

// ceiling is what is measured of the operator when everybody else is infinitely fast.
type ceiling struct {
	FinishedPerSecond float64 `json:"finishedPerSecond"`
	CPU               float64 `json:"operatorCPUMillisecondsPerRun"`
}

// ceiling has the operator work off runs that are there already.
func (b *bench) ceiling(ctx context.Context) (figures ceiling, err error) {
	runs, err := b.bare.newcomers(ctx, b.Runs, b.Clients)
	if err != nil {
		return figures, err
	}
	defer func() { err = errors.Join(err, runs.remove(context.WithoutCancel(ctx))) }()
	all := load{kind: testRuns, runs: b.Runs, clients: b.Clients, template: withoutReport()}
	if err := all.create(ctx, b.bare, runs.namespace); err != nil {
		return figures, err
	}

	operator, err := startManager(ctx, b.bare, b.manager, b.logFile())
	defer operator.stop()
	if err != nil {
		return figures, err
	}
	if b.profiles != "" {
		profiled := operator.profile(ctx, filepath.Join(b.profiles, "ended-at-once.pprof"))
		defer func() { err = errors.Join(err, profiled()) }()
	}
	if err := runs.tracked.wait(ctx, b.Runs, patience); err != nil {
		return figures, fmt.Errorf("waiting for runs whose pods end at once: %w", err)
	}
	cpu, err := operator.cpu()
	if err != nil {
		return figures, err
	}
	seen := runs.tracked.timelines()
	figures.FinishedPerSecond = finishedPerSecond(firstJob(seen), seen)
	figures.CPU = milliseconds(cpu) / float64(b.Runs)
	fmt.Printf("  %-10s %5d %-12s %6.1f/s\n", testRuns.name, b.Runs, "ended:", figures.FinishedPerSecond)
	return figures, nil
}

func firstJob(runs []timeline) time.Time {
	first := runs[0].job
	for _, run := range runs {
		if run.job.Before(first) {
			first = run.job
		}
	}
	return first
}
