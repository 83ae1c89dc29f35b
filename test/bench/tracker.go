package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// timeline is when a watch, by this process's clock, told of a run or of a bare Job.
type timeline struct{ created, job, finished time.Time }

// tracker watches the runs, or the bare Jobs, of a namespace.
type tracker struct {
	lock sync.Mutex
	runs map[string]*timeline
	// finished has the name of each that has ended as it should; failed why one has not, or why nobody knows.
	finished chan string
	failed   chan error
	stop     context.CancelFunc
}

// trackRuns watches TestRuns, and of their Jobs no more than that they exist.
func trackRuns(ctx context.Context, c *cluster, namespace string, runs int) (*tracker, error) {
	jobs := &metav1.PartialObjectMetadataList{}
	jobs.SetGroupVersionKind(batchv1.SchemeGroupVersion.WithKind("JobList"))
	t, ctx := newTracker(ctx, runs)
	err := errors.Join(
		t.watch(ctx, c, namespace, &v1alpha1.TestRunList{}, t.seeRun),
		t.watch(ctx, c, namespace, jobs, func(event watch.EventType, obj client.Object) {
			if run := obj.GetLabels()[v1alpha1.LabelRun]; run != "" && event == watch.Added {
				t.timeline(run).job = time.Now()
			}
		}))
	return t, err
}

// trackJobs watches bare Jobs.
func trackJobs(ctx context.Context, c *cluster, namespace string, runs int) (*tracker, error) {
	t, ctx := newTracker(ctx, runs)
	err := t.watch(ctx, c, namespace, &batchv1.JobList{}, t.seeJob)
	return t, err
}

func newTracker(ctx context.Context, runs int) (*tracker, context.Context) {
	ctx, stop := context.WithCancel(ctx)
	return &tracker{
		runs: make(map[string]*timeline, runs), finished: make(chan string, runs), failed: make(chan error, runs+1), stop: stop,
	}, ctx
}

// watch calls see, under the lock, for each event from now on.
func (t *tracker) watch(ctx context.Context, c *cluster, namespace string, list client.ObjectList, see func(watch.EventType, client.Object)) error {
	stream, err := c.follow(ctx, list, namespace)
	if err != nil {
		return fmt.Errorf("watching: %w", err)
	}
	go func() {
		defer stream.Stop()
		why := "the stream has ended"
		for event := range stream.ResultChan() {
			obj, ok := event.Object.(client.Object)
			if !ok {
				why = fmt.Sprint(event.Object)
				break
			}
			t.lock.Lock()
			see(event.Type, obj)
			t.lock.Unlock()
		}
		if ctx.Err() == nil {
			t.failed <- fmt.Errorf("a watch has ended: %s", why)
		}
	}()
	return nil
}

// follow is a watch that goes on when the API server ends it, as it does when it has no time to serve it.
func (c *cluster) follow(ctx context.Context, list client.ObjectList, namespace string) (watch.Interface, error) {
	if err := c.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	return watchtools.NewRetryWatcherWithContext(ctx, list.GetResourceVersion(), &cache.ListWatch{
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			return c.Watch(ctx, list, client.InNamespace(namespace), &client.ListOptions{Raw: &options})
		},
	})
}

func (t *tracker) timeline(name string) *timeline {
	if t.runs[name] == nil {
		t.runs[name] = &timeline{}
	}
	return t.runs[name]
}

func (t *tracker) seeRun(event watch.EventType, obj client.Object) {
	run, ok := obj.(*v1alpha1.TestRun)
	if !ok || event == watch.Deleted {
		return
	}
	seen := t.timeline(run.Name)
	if seen.created.IsZero() {
		seen.created = time.Now()
	}
	if run.Status.Phase == v1alpha1.PhaseFinished && seen.finished.IsZero() {
		t.ended(run.Name, seen, run.Status.Verdict == v1alpha1.VerdictPassed, run.Status.Conditions)
	}
}

func (t *tracker) seeJob(event watch.EventType, obj client.Object) {
	job, ok := obj.(*batchv1.Job)
	if !ok || event == watch.Deleted {
		return
	}
	seen := t.timeline(job.Name)
	if seen.created.IsZero() {
		seen.created = time.Now()
		seen.job = seen.created
	}
	for _, condition := range job.Status.Conditions {
		isEnd := condition.Type == batchv1.JobComplete || condition.Type == batchv1.JobFailed
		if isEnd && condition.Status == corev1.ConditionTrue && seen.finished.IsZero() {
			t.ended(job.Name, seen, condition.Type == batchv1.JobComplete, job.Status.Conditions)
		}
	}
}

func (t *tracker) ended(name string, seen *timeline, well bool, conditions any) {
	seen.finished = time.Now()
	if well {
		t.finished <- name
	} else {
		t.failed <- fmt.Errorf("%s did not pass: %v", name, conditions)
	}
}

// wait waits until n more have finished.
func (t *tracker) wait(ctx context.Context, n int, limit time.Duration) error {
	timeout := time.After(limit)
	for left := n; left > 0; left-- {
		select {
		case <-t.finished:
		case err := <-t.failed:
			return err
		case <-timeout:
			return fmt.Errorf("%d of %d have not finished after %s", left, n, limit)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// timelines returns what was seen. Nothing is written to it any more.
func (t *tracker) timelines() []timeline {
	t.stop()
	t.lock.Lock()
	defer t.lock.Unlock()
	all := make([]timeline, 0, len(t.runs))
	for _, seen := range t.runs {
		all = append(all, *seen)
	}
	return all
}
