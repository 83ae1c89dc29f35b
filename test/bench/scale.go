package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// scale is what is measured while so many finished runs are kept.
type scale struct {
	Kept int `json:"kept"`
	// List is how long it takes to read them all, page by page.
	List float64 `json:"listSeconds"`
	// Restart is the time from the start of the operator's process to the Job of a run that was created before.
	Restart float64 `json:"restartSeconds"`
	// Settle is the time until the operator has nothing more to do, or until it has still something to do although it was waited for;
	// StartCPU and StartRequests are what it has used by then.
	HasSettled    bool     `json:"hasSettled"`
	Settle        float64  `json:"settleSeconds"`
	StartCPU      float64  `json:"startCPUSeconds"`
	StartRequests requests `json:"startRequests"`
	// RSSMiB is the operator's memory then, PeakMiB the most until then, and HeapMiB what of it is in use.
	RSSMiB  float64 `json:"operatorMiB"`
	PeakMiB float64 `json:"operatorPeakMiB"`
	HeapMiB float64 `json:"operatorHeapMiB"`
	IdleCPU float64 `json:"idleCPUMillisecondsPerMinute"`
	// CPU and UntilJob are of new runs, one by one.
	CPU      float64   `json:"operatorCPUMillisecondsPerNewRun"`
	UntilJob quantiles `json:"untilJobMilliseconds"`
	// Failover is the time from the sudden end of the leader to the Job of a run that was created then; BeyondLease is what of it
	// comes after the standby has taken the Lease.
	Failover    float64 `json:"failoverSeconds"`
	BeyondLease float64 `json:"failoverBeyondLeaseSeconds"`
}

const (
	idleTime  = 20 * time.Second
	restLimit = 5 * time.Minute
	listLimit = 500 // as client-go
)

// scales measures with each number of kept runs, on an API server beside which nothing runs.
func (b *bench) scales(ctx context.Context, result *report) (err error) {
	c, stop, err := startAPIServer(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	k, err := c.keepOne(ctx, b.manager, b.logFile())
	if err != nil {
		return fmt.Errorf("making a run to be kept: %w", err)
	}
	if len(result.Rounds) == 0 {
		result.Machine = c.machine()
	}
	for _, n := range b.Kept {
		fmt.Printf("with %d finished runs kept\n", n)
		if err := k.fill(ctx, n); err != nil {
			return err
		}
		figures, err := b.withKept(ctx, c, n)
		if err != nil {
			return err
		}
		result.Scale = append(result.Scale, figures)
	}
	return nil
}

func (b *bench) withKept(ctx context.Context, c *cluster, n int) (s scale, err error) {
	s.Kept = n
	if s.List, err = c.secondsToList(ctx, n); err != nil {
		return s, err
	}
	fmt.Printf("  listing them takes %.2f s\n", s.List)
	leader, err := b.restart(ctx, c, &s)
	defer leader.stop()
	if err != nil {
		return s, err
	}
	if err := b.rest(ctx, leader, &s); err != nil {
		return s, err
	}
	if err := b.newRuns(ctx, c, leader, &s); err != nil {
		return s, err
	}
	err = b.failOver(ctx, c, leader, &s)
	return s, err
}

// secondsToList reads all runs as client-go does, twice, and returns the shorter time: the API server may still be busy with what
// etcd has been given.
func (c *cluster) secondsToList(ctx context.Context, n int) (float64, error) {
	shortest := math.Inf(1)
	for range 2 {
		begin := time.Now()
		seen, err := c.countRuns(ctx)
		if err != nil {
			return 0, fmt.Errorf("listing the runs: %w", err)
		}
		if seen != n {
			return 0, fmt.Errorf("the API server shows %d runs, and not %d", seen, n)
		}
		shortest = min(shortest, time.Since(begin).Seconds())
	}
	return shortest, nil
}

func (c *cluster) countRuns(ctx context.Context) (n int, err error) {
	for page := ""; ; {
		list := &v1alpha1.TestRunList{}
		if err := c.List(ctx, list, client.Limit(listLimit), client.Continue(page)); err != nil {
			return 0, err
		}
		n += len(list.Items)
		if page = list.Continue; page == "" {
			return n, nil
		}
	}
}

// patienceWith is for what does depend on how much there is to do.
func (s scale) patienceWith() time.Duration {
	return patience + time.Duration(s.Kept)*10*time.Millisecond
}

// restart starts the operator while a run waits for it, and then lets it come to rest.
func (b *bench) restart(ctx context.Context, c *cluster, s *scale) (leader *manager, err error) {
	before, err := c.readServed(ctx)
	if err != nil {
		return nil, err
	}
	fresh, err := c.newcomers(ctx, 1, 1)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, fresh.remove(context.WithoutCancel(ctx))) }()
	if err := c.Create(ctx, newRun(fresh.namespace, "r-0", withoutReport())); err != nil {
		return nil, err
	}
	if leader, err = launchManager(ctx, c, b.manager, b.logFile()); err != nil {
		return nil, err
	}
	if err := fresh.tracked.wait(ctx, 1, s.patienceWith()); err != nil {
		return leader, fmt.Errorf("waiting for the first run after a restart: %w", err)
	}
	s.Restart = fresh.tracked.timelines()[0].job.Sub(leader.started).Seconds()
	fmt.Printf("  from the operator's start to the first new Job it takes %.2f s\n", s.Restart)
	hasSettled, cpu, after, err := c.settle(ctx, leader)
	if err != nil {
		return leader, fmt.Errorf("waiting for the operator to come to rest: %w", err)
	}
	s.HasSettled, s.Settle = hasSettled, time.Since(leader.started).Seconds()
	s.StartCPU, s.StartRequests = cpu.Seconds(), after.requests.minus(before.requests)
	fmt.Printf("  after %.0f s, %.1f s of CPU time and %.0f API requests it has nothing more to do: %t\n",
		s.Settle, s.StartCPU, s.StartRequests.sum(), s.HasSettled)
	return leader, nil
}

// settle waits until the operator has nothing more to do: until for a while it has used next to no CPU time, and nobody has asked the
// API server for anything. It gives up after restLimit. It returns what the operator has used in all, and all requests so far.
func (c *cluster) settle(ctx context.Context, m *manager) (hasSettled bool, total time.Duration, after served, err error) {
	const window, quiet = 5 * time.Second, 50 * time.Millisecond
	err = wait.PollUntilContextTimeout(ctx, window, restLimit, true, func(ctx context.Context) (bool, error) {
		cpuBefore, before := total, after
		if total, err = m.cpu(); err != nil {
			return false, err
		}
		if after, err = c.readServed(ctx); err != nil {
			return false, err
		}
		hasSettled = total-cpuBefore <= quiet && after.requests.minus(before.requests).sum() == 0
		return hasSettled, nil
	})
	if wait.Interrupted(err) && ctx.Err() == nil {
		err = nil
	}
	return hasSettled, total, after, err
}

// rest measures the operator while it has nothing to do.
func (b *bench) rest(ctx context.Context, m *manager, s *scale) error {
	before, err := m.cpu()
	if err != nil {
		return err
	}
	select {
	case <-time.After(idleTime):
	case <-ctx.Done():
		return ctx.Err()
	}
	after, err := m.cpu()
	if err != nil {
		return err
	}
	s.IdleCPU = milliseconds(after-before) * float64(time.Minute/idleTime)
	if s.RSSMiB, err = m.memory("VmRSS"); err != nil {
		return err
	}
	if s.PeakMiB, err = m.peakMiB(); err != nil {
		return err
	}
	if s.HeapMiB, err = b.heapMiB(ctx, m, s.Kept); err != nil {
		return err
	}
	fmt.Printf("  the operator has %.0f MiB, of which %.0f are in use, and has had %.0f MiB\n", s.RSSMiB, s.HeapMiB, s.PeakMiB)
	return nil
}

// heapMiB is what a garbage collection leaves in the operator.
func (b *bench) heapMiB(ctx context.Context, m *manager, n int) (float64, error) {
	profile, err := m.pprofOf(ctx, "heap?gc=1&debug=1")
	if err == nil && b.profiles != "" {
		err = os.WriteFile(filepath.Join(b.profiles, fmt.Sprintf("heap-%d.pprof", n)), profile, 0o644)
	}
	if err != nil {
		return 0, err
	}
	return heapIn(string(profile))
}

func heapIn(profile string) (float64, error) {
	for line := range strings.Lines(profile) {
		var size float64
		if n, _ := fmt.Sscanf(line, "# HeapAlloc = %f", &size); n == 1 {
			return size / (1 << 20), nil
		}
	}
	return 0, errors.New("the heap profile does not say how large the heap is")
}

// newRuns measures runs one by one beside those that are kept.
func (b *bench) newRuns(ctx context.Context, c *cluster, leader *manager, s *scale) (err error) {
	fresh, err := c.newcomers(ctx, b.OneByOne, 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fresh.remove(context.WithoutCancel(ctx))) }()
	before, err := leader.cpu()
	if err != nil {
		return err
	}
	for i := range b.OneByOne {
		if err := c.Create(ctx, newRun(fresh.namespace, fmt.Sprintf("r-%d", i), withoutReport())); err != nil {
			return err
		}
		if err := fresh.tracked.wait(ctx, 1, patience); err != nil {
			return fmt.Errorf("waiting for a new run: %w", err)
		}
	}
	after, err := leader.cpu()
	if err != nil {
		return err
	}
	s.CPU = milliseconds(after-before) / float64(b.OneByOne)
	s.UntilJob = untilJob(fresh.tracked.timelines())
	fmt.Printf("  a new run takes %.1f ms of CPU time, and has its Job after p50 %.1f ms, p99 %.1f ms\n", s.CPU, s.UntilJob.P50, s.UntilJob.P99)
	return nil
}

// failOver kills the leader beside which a standby is ready.
func (b *bench) failOver(ctx context.Context, c *cluster, leader *manager, s *scale) (err error) {
	standby, err := launchManager(ctx, c, b.manager, b.logFile())
	defer standby.stop()
	if err != nil {
		return err
	}
	if err := standby.ready(ctx, s.patienceWith()); err != nil {
		return err
	}
	fresh, err := c.newcomers(ctx, 1, 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fresh.remove(context.WithoutCancel(ctx))) }()
	killed := time.Now()
	leader.kill()
	if err := c.Create(ctx, newRun(fresh.namespace, "r-0", withoutReport())); err != nil {
		return err
	}
	if err := fresh.tracked.wait(ctx, 1, s.patienceWith()); err != nil {
		return fmt.Errorf("waiting for the first run after a failover: %w", err)
	}
	lease := &coordinationv1.Lease{}
	if err := c.Get(ctx, client.ObjectKey{Namespace: operatorNamespace, Name: "manager.testrun.dev"}, lease); err != nil {
		return fmt.Errorf("reading the Lease: %w", err)
	}
	job := fresh.tracked.timelines()[0].job
	s.Failover, s.BeyondLease = job.Sub(killed).Seconds(), job.Sub(lease.Spec.AcquireTime.Time).Seconds()
	fmt.Printf("  from the leader's end to the first new Job it takes %.2f s, %.2f s of them with the Lease\n", s.Failover, s.BeyondLease)
	return nil
}
