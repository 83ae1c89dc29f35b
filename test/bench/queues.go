package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

const (
	pacedStarts     = 200
	fullSpeedStarts = 1000
	// pause is left between two paced starts, so that the operator is idle again.
	pause = 50 * time.Millisecond
)

// queueBench is one full queue, and the operator that works it off. The bench itself is the Job controller and the nodes.
type queueBench struct {
	*bench
	*cluster
	operator  *manager
	namespace string
	queue     *v1alpha1.TestQueue
	line      *line
	// running are the pods that have not ended, and ended the names of the Jobs of the others.
	running []*corev1.Pod
	ended   []string
	// created and unfinished count runs.
	created, unfinished int
}

// queues measures what a start costs in queues of all sizes. It has an API server of its own.
func (b *bench) queues(ctx context.Context, result *report) (err error) {
	bare, stop, err := startAPIServer(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	if result.Machine.CPUs == 0 {
		result.Machine = bare.machine()
	}
	q := &queueBench{bench: b, cluster: bare, queue: &v1alpha1.TestQueue{ObjectMeta: metav1.ObjectMeta{Name: "bench"}}}
	q.queue.Spec.MaxRunning = 1
	if err := q.Create(ctx, q.queue); err != nil {
		return err
	}
	if q.namespace, err = q.newNamespace(ctx, false); err != nil {
		return err
	}
	q.line, err = trackLine(ctx, bare, q.namespace, 2*fullSpeedStarts)
	defer q.line.stop()
	if err != nil {
		return err
	}
	q.operator, err = startManager(ctx, bare, b.manager, b.logFile())
	defer q.operator.stop()
	if err != nil {
		return err
	}
	fmt.Println("queues")
	seen := map[size]startCost{}
	for _, queue := range slices.Concat(byWaiting, byMaxRunning) {
		if _, known := seen[queue]; known {
			continue
		}
		if seen[queue], err = q.measure(ctx, queue); err != nil {
			return fmt.Errorf("%d running and %d waiting: %w", queue.MaxRunning, queue.Waiting, err)
		}
	}
	result.Queues = []curve{newCurve(byWaiting, seen), newCurve(byMaxRunning, seen)}
	return nil
}

// measure has runs start one by one, each when the operator is done with the one before, and then as fast as they can.
func (q *queueBench) measure(ctx context.Context, s size) (cost startCost, err error) {
	var waits []time.Duration
	var used time.Duration
	for left := pacedStarts; left > 0; left = pacedStarts - len(waits) {
		if err := q.fill(ctx, s); err != nil {
			return cost, fmt.Errorf("filling the queue: %w", err)
		}
		begin, err := q.operator.cpu()
		if err != nil {
			return cost, err
		}
		for range min(left, s.Waiting) {
			waited, err := q.startNext(ctx)
			if err != nil {
				return cost, err
			}
			waits = append(waits, waited)
		}
		end, err := q.operator.cpu()
		if err != nil {
			return cost, err
		}
		used += end - begin
	}
	untilJob := quantilesOf(waits)
	cost = startCost{P50: untilJob.P50, P90: untilJob.P90, CPU: milliseconds(used) / pacedStarts}
	if s.Waiting >= fullSpeedStarts {
		if err := q.fill(ctx, s); err != nil {
			return cost, fmt.Errorf("filling the queue: %w", err)
		}
		if cost.PerSecond, cost.FullSpeedCPU, err = q.fullSpeed(ctx, s); err != nil {
			return cost, err
		}
	}
	fmt.Printf("  %5d waiting, %3d running: from a free slot to the next Job p50 %.1f ms, p90 %.1f ms; CPU time for each %.2f ms; at full speed %.0f/s, %.2f ms\n",
		s.Waiting, s.MaxRunning, cost.P50, cost.P90, cost.CPU, cost.PerSecond, cost.FullSpeedCPU)
	return cost, nil
}

// startNext frees a slot, and returns how long it takes until the next Job is there. Then it waits until the operator is idle again.
func (q *queueBench) startNext(ctx context.Context) (time.Duration, error) {
	if err := q.end(ctx); err != nil {
		return 0, err
	}
	freed := time.Now()
	next, err := q.line.next(ctx)
	if err != nil {
		return 0, err
	}
	if err := q.line.wait(ctx, 1, patience); err != nil {
		return 0, err
	}
	if err := q.run(ctx, next.job); err != nil {
		return 0, err
	}
	if err := q.line.untilTold(ctx, len(q.running), q.unfinished-len(q.running)); err != nil {
		return 0, err
	}
	time.Sleep(pause)
	return next.at.Sub(freed), nil
}

// fullSpeed ends fullSpeedStarts pods as soon as their Jobs exist, and returns how many started in a second, and the CPU time of each.
func (q *queueBench) fullSpeed(ctx context.Context, s size) (perSecond, cpu float64, err error) {
	if q.profiles != "" {
		profiled := q.operator.profile(ctx, filepath.Join(q.profiles, fmt.Sprintf("queue-%d-of-%d.pprof", s.MaxRunning, s.Waiting)))
		defer func() { err = errors.Join(err, profiled()) }()
	}
	before, err := q.operator.cpu()
	if err != nil {
		return 0, 0, err
	}
	begin := time.Now()
	if err := q.endAtOnce(ctx, fullSpeedStarts); err != nil {
		return 0, 0, err
	}
	var started startedJob
	var jobs []*batchv1.Job
	for range s.MaxRunning {
		if started, err = q.line.next(ctx); err != nil {
			return 0, 0, err
		}
		jobs = append(jobs, started.job)
	}
	if err := q.line.wait(ctx, fullSpeedStarts, patience); err != nil {
		return 0, 0, err
	}
	after, err := q.operator.cpu()
	for _, job := range jobs {
		err = errors.Join(err, q.run(ctx, job))
	}
	return fullSpeedStarts / started.at.Sub(begin).Seconds(), milliseconds(after-before) / fullSpeedStarts, err
}
