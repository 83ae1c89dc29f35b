package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/node"
)

// fill leaves as many runs running and waiting as it should be, each told so, and an operator that is idle.
func (q *queueBench) fill(ctx context.Context, s size) error {
	if err := q.removeEnded(ctx); err != nil {
		return err
	}
	before := q.queue.DeepCopy()
	q.queue.Spec.MaxRunning = int32(s.MaxRunning)
	if err := q.Patch(ctx, q.queue, client.MergeFrom(before)); err != nil {
		return err
	}
	err := wait.PollUntilContextTimeout(ctx, 500*time.Millisecond, 10*patience, true, func(ctx context.Context) (bool, error) {
		if _, err := q.operator.cpu(); err != nil {
			return false, fmt.Errorf("the operator has ended, see %s: %w", q.logFile(), err)
		}
		for len(q.line.started) > 0 {
			if err := q.run(ctx, (<-q.line.started).job); err != nil {
				return false, err
			}
		}
		for len(q.running) > s.MaxRunning {
			if err := errors.Join(q.end(ctx), q.line.wait(ctx, 1, patience)); err != nil {
				return false, err
			}
		}
		if err := q.create(ctx, s.MaxRunning+s.Waiting-q.unfinished); err != nil {
			return false, err
		}
		return q.line.isTold(s.MaxRunning, s.Waiting), nil
	})
	if err != nil {
		return err
	}
	_, err = q.settled(ctx)
	return err
}

// create creates n runs.
func (q *queueBench) create(ctx context.Context, n int) error {
	template := withoutReport()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(q.Clients)
	for range n {
		q.created++
		q.unfinished++
		run := newRun(q.namespace, fmt.Sprintf("r-%d", q.created), template)
		run.Spec.Queue = q.queue.Name
		group.Go(func() error { return q.Create(ctx, run) })
	}
	return group.Wait()
}

// run makes the Job's pod, and says that it runs.
func (q *queueBench) run(ctx context.Context, job *batchv1.Job) error {
	pod, err := q.makePod(ctx, job)
	if err != nil {
		return err
	}
	q.running = append(q.running, pod)
	return node.Report(ctx, q, pod, node.SetRunning)
}

func (c *cluster) makePod(ctx context.Context, job *batchv1.Job) (*corev1.Pod, error) {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: job.Namespace, Name: job.Name, Labels: job.Spec.Template.Labels,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(job, batchv1.SchemeGroupVersion.WithKind("Job"))},
		},
		Spec: job.Spec.Template.Spec,
	}
	return pod, c.Create(ctx, pod)
}

// exit ends the pod: its test has passed.
func (c *cluster) exit(ctx context.Context, pod *corev1.Pod) error {
	return node.Report(ctx, c, pod, func(status *corev1.PodStatus) { node.SetExit(status, corev1.ContainerStateTerminated{}) })
}

// pass makes the Job's pod, which ends at once.
func (c *cluster) pass(ctx context.Context, job *batchv1.Job) error {
	pod, err := c.makePod(ctx, job)
	if err != nil {
		return err
	}
	return c.exit(ctx, pod)
}

// end ends the pod that runs last. Its run has not finished when it returns.
func (q *queueBench) end(ctx context.Context) error {
	last := len(q.running) - 1
	pod := q.running[last]
	q.running = q.running[:last]
	q.note(pod.Name)
	return q.exit(ctx, pod)
}

func (q *queueBench) note(job string) {
	q.ended = append(q.ended, job)
	q.unfinished--
}

// endAtOnce ends the pods that run, and those of the next Jobs as soon as these exist: n pods in all.
func (q *queueBench) endAtOnce(ctx context.Context, n int) (err error) {
	group, inGroup := errgroup.WithContext(ctx)
	defer func() { err = errors.Join(err, group.Wait()) }()
	group.SetLimit(q.Clients)
	for _, pod := range q.running {
		q.note(pod.Name)
		group.Go(func() error { return q.exit(inGroup, pod) })
	}
	n -= len(q.running)
	q.running = nil
	for range n {
		next, err := q.line.next(ctx)
		if err != nil {
			return err
		}
		q.note(next.job.Name)
		group.Go(func() error { return q.pass(inGroup, next.job) })
	}
	return nil
}

// removeEnded keeps what has ended from adding to what is measured next.
func (q *queueBench) removeEnded(ctx context.Context) error {
	in := client.InNamespace(q.namespace)
	err := errors.Join(
		q.DeleteAllOf(ctx, &v1alpha1.TestRun{}, in, client.MatchingFields{"status.phase": string(v1alpha1.PhaseFinished)}),
		q.DeleteAllOf(ctx, &corev1.Pod{}, in, client.MatchingFields{"status.phase": string(corev1.PodSucceeded)}, client.GracePeriodSeconds(0)))
	for _, name := range q.ended {
		job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: q.namespace, Name: name}}
		err = errors.Join(err, q.Delete(ctx, job, client.PropagationPolicy(metav1.DeletePropagationBackground)))
	}
	q.ended = nil
	return err
}
