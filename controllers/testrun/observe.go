package testrun

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/jobspec"
	"github.com/testrun-dev/testrun/internal/lifecycle"
	"github.com/testrun-dev/testrun/internal/runcache"
)

// observe reads what a decision needs, and writes nothing. It reports what it has seen to the run's queue, and gets the queue's decision.
func (r *Reconciler) observe(ctx context.Context, run *v1alpha1.TestRun, now time.Time) (lifecycle.Observation, error) {
	seen, err := r.observeObjects(ctx, run, now)
	if err == nil && run.DeletionTimestamp.IsZero() {
		seen.Turn = r.reportToQueue(seen)
	}
	return seen, err
}

func (r *Reconciler) observeObjects(ctx context.Context, run *v1alpha1.TestRun, now time.Time) (lifecycle.Observation, error) {
	seen := lifecycle.Observation{Request: jobspec.Request{Run: run}, TestGracePeriod: r.TestGracePeriod, QueueGracePeriod: r.QueueGracePeriod, Runner: r.Runner}
	if !run.DeletionTimestamp.IsZero() {
		r.runEnds(run, nil, true)
		return seen, nil
	}
	var err error
	if seen.Job, err = r.readJob(ctx, run); err != nil {
		return seen, err
	}
	if seen.Job == nil {
		seen, err = r.observeWithoutJob(ctx, seen)
		seen.Resolve()
		return seen, err
	}
	r.jobsSeen.Add(attemptOf(run), nil)
	if run.Status.Phase == v1alpha1.PhaseFinished && lifecycle.JobEnd(seen.Job) != nil {
		seen.Resolve()
		return seen, nil
	}
	pod, err := r.readPod(ctx, run, seen.Job)
	if err != nil {
		return seen, err
	}
	seen.Pod = pod
	seen.Resolve()
	switch seen.Question(now) {
	case lifecycle.WhatKueueSays:
		seen.Workload, err = r.readWorkload(ctx, seen.Job)
	case lifecycle.WhyNotStarted:
		return r.observeSlowStart(ctx, seen)
	case lifecycle.WhyStopped:
		seen.Warnings, err = r.warnings.about(ctx, run.Namespace, seen.Subject())
	case lifecycle.HowTheNodeIs:
		seen.SilentSince, err = r.readSilence(ctx, seen, now)
	case lifecycle.NoQuestion:
	}
	return seen, err
}

// observeSlowStart reads why an attempt has not started.
func (r *Reconciler) observeSlowStart(ctx context.Context, seen lifecycle.Observation) (lifecycle.Observation, error) {
	var err error
	if seen.Warnings, err = r.warnings.about(ctx, seen.Run.Namespace, seen.Subject()); err != nil {
		return seen, err
	}
	if seen.Pod != nil && seen.Pod.Spec.NodeName != "" && seen.Pod.Status.StartTime == nil {
		err = r.APIReader.Get(ctx, client.ObjectKey{Name: seen.Pod.Spec.NodeName}, &corev1.Node{})
		if seen.NodeMissing = apierrors.IsNotFound(err); !seen.NodeMissing && err != nil {
			return seen, fmt.Errorf("reading the node: %w", err)
		}
	}
	return seen, nil
}

// observeWithoutJob reads what the attempt's Job has to be made from.
func (r *Reconciler) observeWithoutJob(ctx context.Context, seen lifecycle.Observation) (lifecycle.Observation, error) {
	var err error
	if seen.JobVanished = r.vanished(seen.Run); seen.JobVanished {
		return seen, nil
	}
	if last := lifecycle.LastEnded(seen.Run.Status); last != nil && seen.Run.Status.Phase != v1alpha1.PhaseFinished {
		// The cache does not hold the Job's template.
		if seen.LastJob, err = ownJob(ctx, r.APIReader, seen.Run, last.Number); err != nil || seen.LastJob == nil {
			return seen, err
		}
		return r.observeAgain(ctx, seen)
	}
	if seen.Run.Status.Phase == v1alpha1.PhaseFinished {
		return seen, nil
	}
	if seen.Asked, err = r.readAsked(ctx, seen.Run); err != nil {
		return seen, err
	}
	seen.Test, err = r.readTest(ctx, seen.Run.Namespace, seen.Asked.TestRef)
	return seen, err
}

// maxReruns bounds how many runs are read to find the original one. A name may be used again, so runs may repeat each other in a circle.
const maxReruns = 100

// readAsked finds what the run asks for. A run that repeats another one asks for what that one asked for. The cache no longer holds what a
// finished run asked for. If the original run does not exist, only RerunOf is set.
func (r *Reconciler) readAsked(ctx context.Context, run *v1alpha1.TestRun) (v1alpha1.TestRunSpec, error) {
	asked := run.Spec
	for range maxReruns {
		if asked.RerunOf == nil {
			return asked, nil
		}
		repeated := &v1alpha1.TestRun{}
		err := r.APIReader.Get(ctx, client.ObjectKey{Namespace: run.Namespace, Name: asked.RerunOf.Name}, repeated)
		if apierrors.IsNotFound(err) {
			return v1alpha1.TestRunSpec{RerunOf: asked.RerunOf}, nil
		}
		if err != nil {
			return v1alpha1.TestRunSpec{}, fmt.Errorf("reading the run that is to be repeated: %w", err)
		}
		asked = repeated.Spec
	}
	return asked, nil
}

// vanished says whether the attempt's Job, which does not exist now, existed before. The status says so. Between the creation of the Job
// and the next write of the status, only this process remembers it. See docs/decisions/one-job-per-attempt.md.
func (r *Reconciler) vanished(run *v1alpha1.TestRun) bool {
	_, remembered := r.jobsSeen.Get(attemptOf(run))
	return remembered || lifecycle.CurrentAttempt(run.Status).Job != ""
}

// attemptOf names the current attempt of a run.
func attemptOf(run *v1alpha1.TestRun) string {
	return fmt.Sprintf("%s/%d", run.UID, lifecycle.CurrentAttempt(run.Status).Number)
}

// readJob finds the attempt's Job. The cache holds no Job that has succeeded, and may lag, so only the API server may say that a known Job
// is gone. For a Job that is not known yet, createJob and confirm ask the API server where it matters.
func (r *Reconciler) readJob(ctx context.Context, run *v1alpha1.TestRun) (*batchv1.Job, error) {
	number := lifecycle.CurrentAttempt(run.Status).Number
	if run.Status.Phase == v1alpha1.PhaseFinished {
		// Another controller may have begun one more attempt while this one finished the run.
		if job, err := ownJob(ctx, r.Client, run, number+1); job != nil || err != nil {
			return job, err
		}
		return ownJob(ctx, r.Client, run, number)
	}
	job, err := ownJob(ctx, r.Client, run, number)
	if job != nil || err != nil || !r.vanished(run) {
		return job, err
	}
	return ownJob(ctx, r.APIReader, run, number)
}

// confirm asks the API server before a run ends for a reason that a stale cache may have caused.
func (r *Reconciler) confirm(ctx context.Context, seen lifecycle.Observation, plan lifecycle.Plan) error {
	switch {
	case plan.State == nil, plan.State.Phase != v1alpha1.PhaseFinished, seen.JobVanished:
		return nil
	case seen.Job == nil:
		return r.confirmNoJob(ctx, seen, plan.State.Reason)
	case plan.State.Reason == v1alpha1.ReasonPodDeleted:
		return r.confirmNotSuspended(ctx, seen)
	default:
		return nil
	}
}

// confirmNoJob: the cache may not show yet that the run has a Job.
func (r *Reconciler) confirmNoJob(ctx context.Context, seen lifecycle.Observation, reason string) error {
	job, err := ownJob(ctx, r.APIReader, seen.Run, lifecycle.CurrentAttempt(seen.Run.Status).Number)
	if job != nil {
		return fmt.Errorf("the run has a Job: %w", errStale)
	}
	if err == nil && reason == v1alpha1.ReasonQueueNotFound {
		return r.confirmNoQueue(ctx, seen)
	}
	return err
}

// confirmNotSuspended: suspending a Job, as a stop does too, deletes its pod. The cache may show only the deletion so far.
func (r *Reconciler) confirmNotSuspended(ctx context.Context, seen lifecycle.Observation) error {
	job, err := ownJob(ctx, r.APIReader, seen.Run, lifecycle.CurrentAttempt(seen.Run.Status).Number)
	if job != nil && ptr.Deref(job.Spec.Suspend, false) && !ptr.Deref(seen.Job.Spec.Suspend, false) {
		return fmt.Errorf("the Job was suspended: %w", errStale)
	}
	return err
}

// confirmNoQueue: only the API server may say that a TestQueue does not exist.
func (r *Reconciler) confirmNoQueue(ctx context.Context, seen lifecycle.Observation) error {
	name := seen.Def.Queueing.Queue
	switch err := r.APIReader.Get(ctx, client.ObjectKey{Name: name}, &v1alpha1.TestQueue{}); {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return fmt.Errorf("reading the TestQueue: %w", err)
	default:
		return fmt.Errorf("there is a TestQueue %s: %w", name, errStale)
	}
}

// ownJob reads the Job of the attempt; nil if there is none. A Job of that name that the run does not own does not count.
func ownJob(ctx context.Context, reader client.Reader, run *v1alpha1.TestRun, attempt int32) (*batchv1.Job, error) {
	job := &batchv1.Job{}
	err := reader.Get(ctx, client.ObjectKey{Namespace: run.Namespace, Name: jobspec.JobName(run, attempt)}, job)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading the Job: %w", err)
	case !metav1.IsControlledBy(job, run):
		return nil, nil
	}
	return job, nil
}

// readPod finds the Job's pod. Only the API server may say that there is none any more: when the Job has ended, or when the status says that
// the test ran. The API server is also asked how a pod ended if the cache has dropped that. A finished run asks for neither.
func (r *Reconciler) readPod(ctx context.Context, run *v1alpha1.TestRun, job *batchv1.Job) (*corev1.Pod, error) {
	pods := &corev1.PodList{}
	err := r.Client.List(ctx, pods, client.InNamespace(job.Namespace), client.MatchingFields{runcache.PodsByJob: string(job.UID)})
	if err != nil {
		return nil, fmt.Errorf("listing the pods of the Job: %w", err)
	}
	pod := firstPod(pods.Items)
	isMissing := pod == nil && (lifecycle.JobEnd(job) != nil || lifecycle.CurrentAttempt(run.Status).StartTime != nil)
	if run.Status.Phase != v1alpha1.PhaseFinished && (isMissing || lifecycle.IsForgotten(pod)) {
		return r.readPodUncached(ctx, job)
	}
	return pod, nil
}

// podsPerPage is how many pods are read at a time. Anybody may give any number of pods the label of a Job's pods.
const podsPerPage = 100

func (r *Reconciler) readPodUncached(ctx context.Context, job *batchv1.Job) (*corev1.Pod, error) {
	var own []corev1.Pod
	for page := ""; ; {
		pods := &corev1.PodList{}
		err := r.APIReader.List(ctx, pods, client.InNamespace(job.Namespace),
			client.MatchingLabels{batchv1.ControllerUidLabel: string(job.UID)}, client.Limit(podsPerPage), client.Continue(page))
		if err != nil {
			return nil, fmt.Errorf("listing the pods of the Job: %w", err)
		}
		for _, pod := range pods.Items {
			if metav1.IsControlledBy(&pod, job) {
				own = append(own, pod)
			}
		}
		if page = pods.Continue; page == "" {
			return firstPod(own), nil
		}
	}
}

// firstPod is the oldest pod; nil if there is none. A Job has only one, unless Kubernetes itself has made a second one.
func firstPod(pods []corev1.Pod) *corev1.Pod {
	if len(pods) == 0 {
		return nil
	}
	first := slices.MinFunc(pods, func(a, b corev1.Pod) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	return &first
}

// readTest reads the Test for which a run asks; nil if it does not exist, or if the run asks for none. Only the API server may say that it
// does not exist. The cache holds no template: see readWhole.
func (r *Reconciler) readTest(ctx context.Context, namespace string, ref *v1alpha1.TestReference) (*v1alpha1.Test, error) {
	if ref == nil {
		return nil, nil
	}
	key := client.ObjectKey{Namespace: namespace, Name: ref.Name}
	if test, err := readTestFrom(ctx, r.Client, key); test != nil || err != nil {
		return test, err
	}
	return readTestFrom(ctx, r.APIReader, key)
}

// readSilence is when the node of a pod that may be silent became silent; zero if it is not. A node that does not exist any more does not
// count: Kubernetes' pod garbage collector then ends the pod.
func (r *Reconciler) readSilence(ctx context.Context, seen lifecycle.Observation, now time.Time) (time.Time, error) {
	node := &corev1.Node{}
	err := r.APIReader.Get(ctx, client.ObjectKey{Name: seen.Pod.Spec.NodeName}, node)
	switch {
	case apierrors.IsNotFound(err):
		return time.Time{}, nil
	case err != nil:
		return time.Time{}, fmt.Errorf("reading the node: %w", err)
	}
	return lifecycle.SilentSince(seen, node, now), nil
}
