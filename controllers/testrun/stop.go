package testrun

import (
	"context"
	"errors"
	"fmt"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/results"
)

// maxRunName is the length of the longest name of a run.
const maxRunName = 58

// errStale means that the API server knows more than the cache did: the reconcile has to be done again.
var errStale = errors.New("the cache is behind the API server")

// stop makes an attempt end and records why in the same write, so that no crash can part the two.
//
// A pod whose test runs, or whose init containers do, is stopped by its kubelet and kept: it may have logs. Any other is taken
// away by suspending its Job. Its time limit would not do: without a node nobody looks at it, and a kubelet that waits for a
// volume or an image looks at it only after it has started the container.
func (r *Reconciler) stop(ctx context.Context, seen observation, why *state) error {
	if podGone := seen.pod == nil || podHasEnded(seen.pod); podGone && isSuspended(seen.job) && jobEnd(seen.job) == nil {
		return r.suspendJob(ctx, seen, why) // whoever suspended it may resume it
	}
	if podHasEnded(seen.pod) || stopOfPod(seen.pod) != nil || stopOfJob(seen.job) != nil {
		return nil
	}
	if mayHaveLogs(seen) {
		return r.stopPod(ctx, seen.pod, why)
	}
	latest := seen
	pod, err := r.readPodUncached(ctx, seen.job)
	if err != nil {
		return err
	}
	latest.setPod(pod)
	if mayHaveLogs(latest) || podHasEnded(latest.pod) {
		return fmt.Errorf("the pod has just moved on: %w", errStale)
	}
	return r.suspendJob(ctx, seen, why)
}

func mayHaveLogs(seen observation) bool {
	return seen.pod != nil && (testHasRun(seen) || startingStep(seen).reason == v1alpha1.ReasonInitializing)
}

// stopPod lowers the pod's time limit to the smallest one: the kubelet sends SIGTERM, waits for the grace period, and
// keeps the pod with its logs.
func (r *Reconciler) stopPod(ctx context.Context, pod *corev1.Pod, why *state) error {
	stopped := pod.DeepCopy()
	stopped.Annotations = withStopRequest(pod.Annotations, why)
	stopped.Spec.ActiveDeadlineSeconds = ptr.To[int64](stopDeadline)
	if err := r.Client.Patch(ctx, stopped, lockedMergeFrom(pod)); err != nil {
		return fmt.Errorf("stopping the pod: %w", err)
	}
	return nil
}

// stopHelpers stops a pod whose test has ended. It says so in the same write, so that the stop is never taken for the test's.
func (r *Reconciler) stopHelpers(ctx context.Context, pod *corev1.Pod) error {
	stopped := pod.DeepCopy()
	stopped.Annotations = merged(pod.Annotations, map[string]string{v1alpha1.AnnotationHelpersStopped: "true"})
	stopped.Spec.ActiveDeadlineSeconds = ptr.To[int64](stopDeadline)
	if err := r.Client.Patch(ctx, stopped, lockedMergeFrom(pod)); err != nil {
		return fmt.Errorf("stopping the pod: %w", err)
	}
	return nil
}

// suspendJob keeps the Job from ever having another pod. Kueue or a person may resume it: with a time limit of zero it then fails before
// it gets one.
func (r *Reconciler) suspendJob(ctx context.Context, seen observation, why *state) error {
	suspended := seen.job.DeepCopy()
	suspended.Annotations = withStopRequest(seen.job.Annotations, why)
	suspended.Spec.Suspend, suspended.Spec.ActiveDeadlineSeconds = ptr.To(true), ptr.To[int64](0)
	if !mayHoldQuota(seen.job, seen.workload, r.Clock.Now()) {
		suspended.Spec.Parallelism = ptr.To[int32](0)
	}
	if err := r.Client.Patch(ctx, suspended, lockedMergeFrom(seen.job)); err != nil {
		return fmt.Errorf("suspending the Job: %w", err)
	}
	return nil
}

// leaveKueue has a stopped Job ask for no pods: see keepsPlace.
func (r *Reconciler) leaveKueue(ctx context.Context, job *batchv1.Job) error {
	leaving := job.DeepCopy()
	leaving.Spec.Parallelism = ptr.To[int32](0)
	if err := r.Client.Patch(ctx, leaving, lockedMergeFrom(job)); err != nil {
		return fmt.Errorf("taking the stopped Job out of Kueue's queue: %w", err)
	}
	return nil
}

func lockedMergeFrom(obj client.Object) client.Patch {
	return client.MergeFromWithOptions(obj, client.MergeFromWithOptimisticLock{})
}

func withStopRequest(annotations map[string]string, why *state) map[string]string {
	return merged(annotations, map[string]string{
		v1alpha1.AnnotationStopVerdict:   string(why.verdict),
		v1alpha1.AnnotationStopReason:    why.reason,
		v1alpha1.AnnotationStopMessage:   results.Cut(why.message, maxMessage),
		v1alpha1.AnnotationStopInFavorOf: why.inFavorOf,
	})
}

// stopRequest reads back what withStopRequest wrote; nil if nobody asked for a stop. A stop only ever ends a run as Error or Cancelled,
// with a reason of the API. Anything else was written by somebody else, and is not believed.
func stopRequest(annotations map[string]string) *state {
	verdict := v1alpha1.Verdict(annotations[v1alpha1.AnnotationStopVerdict])
	reason := annotations[v1alpha1.AnnotationStopReason]
	if verdict != v1alpha1.VerdictError && verdict != v1alpha1.VerdictCancelled || !slices.Contains(v1alpha1.Reasons, reason) {
		return nil
	}
	why := finished(verdict, reason, results.Cut(annotations[v1alpha1.AnnotationStopMessage], maxMessage))
	if other := annotations[v1alpha1.AnnotationStopInFavorOf]; len(other) <= maxRunName {
		why.inFavorOf = other
	}
	return why
}

// stopOfJob is why the Job was stopped; nil if it was not. The annotations alone are not believed: whoever may change a Job could write
// them. They count together with what the same write did, which stops the Job whoever did it: with a time limit of zero it has no pods,
// suspended or not.
func stopOfJob(job *batchv1.Job) *state {
	if job == nil || ptr.Deref(job.Spec.ActiveDeadlineSeconds, 1) != 0 {
		return nil
	}
	return stopRequest(job.Annotations)
}

// stopOfPod is stopOfJob for a pod.
func stopOfPod(pod *corev1.Pod) *state {
	if pod == nil || !deadlineLowered(pod) {
		return nil
	}
	return stopRequest(pod.Annotations)
}

// stopDeadline is the time limit of a pod that is stopped: the smallest one.
const stopDeadline = 1

// deadlineLowered says whether the pod's time limit is that of a stop.
func deadlineLowered(pod *corev1.Pod) bool {
	return ptr.Deref(pod.Spec.ActiveDeadlineSeconds, 0) == stopDeadline
}
