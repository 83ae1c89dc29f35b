package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// line is what watches tell of the runs of a queue.
type line struct {
	*tracker
	// reasons says what each run that has not finished was told last, and told how many were told it.
	reasons map[string]string
	told    map[string]int
	started chan startedJob
}

// startedJob is a Job, and when a watch told of it.
type startedJob struct {
	job *batchv1.Job
	at  time.Time
}

// trackLine watches a namespace in which no more than that many runs start or finish without being waited for.
func trackLine(ctx context.Context, c *cluster, namespace string, runs int) (*line, error) {
	t, ctx := newTracker(ctx, runs)
	l := &line{tracker: t, reasons: map[string]string{}, told: map[string]int{}, started: make(chan startedJob, runs)}
	return l, errors.Join(
		l.watch(ctx, c, namespace, &v1alpha1.TestRunList{}, func(event watch.EventType, obj client.Object) {
			l.seeRun(event, obj)
			l.seeReason(event, obj)
		}),
		l.watch(ctx, c, namespace, &batchv1.JobList{}, func(event watch.EventType, obj client.Object) {
			if job, ok := obj.(*batchv1.Job); ok && event == watch.Added {
				l.started <- startedJob{job, time.Now()}
			}
		}))
}

func (l *line) seeReason(event watch.EventType, obj client.Object) {
	run, ok := obj.(*v1alpha1.TestRun)
	if !ok {
		return
	}
	l.told[l.reasons[run.Name]]--
	delete(l.reasons, run.Name)
	if event == watch.Deleted || run.Status.Phase == v1alpha1.PhaseFinished {
		return
	}
	if condition := meta.FindStatusCondition(run.Status.Conditions, v1alpha1.ConditionSucceeded); condition != nil {
		l.reasons[run.Name] = condition.Reason
		l.told[condition.Reason]++
	}
}

// isTold says whether so many runs were told that they run, and so many that they are queued.
func (l *line) isTold(running, queued int) bool {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.told[v1alpha1.ReasonRunning] == running && l.told[v1alpha1.ReasonQueued] == queued
}

func (l *line) untilTold(ctx context.Context, running, queued int) error {
	err := wait.PollUntilContextTimeout(ctx, 5*time.Millisecond, patience, true, func(context.Context) (bool, error) {
		return l.isTold(running, queued), nil
	})
	if err != nil {
		return fmt.Errorf("waiting for runs to be told where they are: %w", err)
	}
	return nil
}

// next waits for the next Job that is created.
func (l *line) next(ctx context.Context) (startedJob, error) {
	select {
	case started := <-l.started:
		return started, nil
	case err := <-l.failed:
		return startedJob{}, err
	case <-time.After(patience):
		return startedJob{}, fmt.Errorf("no Job is created within %s", patience)
	case <-ctx.Done():
		return startedJob{}, ctx.Err()
	}
}
