package lifecycle

import (
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/results"
)

// StoppedPod is the pod with the smallest time limit and the reason of the stop. The kubelet then sends SIGTERM, waits for the grace
// period, and keeps the pod with its logs. See docs/decisions/stopping.md.
func StoppedPod(pod *corev1.Pod, why *State) *corev1.Pod {
	stopped := pod.DeepCopy()
	stopped.Annotations = withStopRequest(pod.Annotations, why)
	stopped.Spec.ActiveDeadlineSeconds = ptr.To[int64](stopDeadline)
	return stopped
}

// PodWithoutHelpers is the pod of a test that has ended, with the smallest time limit. An annotation marks this stop, so that it is never
// taken for a stop of the test.
func PodWithoutHelpers(pod *corev1.Pod) *corev1.Pod {
	stopped := pod.DeepCopy()
	metav1.SetMetaDataAnnotation(&stopped.ObjectMeta, v1alpha1.AnnotationHelpersStopped, "true")
	stopped.Spec.ActiveDeadlineSeconds = ptr.To[int64](stopDeadline)
	return stopped
}

// SuspendedJob is the Job as it is after a stop: it never gets another pod. Kueue or a person may resume it. With its time limit of zero it
// then fails before it gets a pod. See docs/decisions/stopping.md.
func SuspendedJob(seen Observation, why *State, now time.Time) *batchv1.Job {
	suspended := seen.Job.DeepCopy()
	suspended.Annotations = withStopRequest(seen.Job.Annotations, why)
	suspended.Spec.Suspend, suspended.Spec.ActiveDeadlineSeconds = ptr.To(true), ptr.To[int64](0)
	if !mayHoldQuota(seen.Job, seen.Workload, now) {
		suspended.Spec.Parallelism = ptr.To[int32](0)
	}
	return suspended
}

// WithoutPods is a stopped Job that asks for no pods any more: see staysQueued.
func WithoutPods(job *batchv1.Job) *batchv1.Job {
	leaving := job.DeepCopy()
	leaving.Spec.Parallelism = ptr.To[int32](0)
	return leaving
}

// MayHaveLogs says whether the test or an init container has run, so that the pod is worth keeping.
func MayHaveLogs(seen Observation) bool {
	return seen.Pod != nil && (testHasRun(seen) || startingStep(seen).reason == v1alpha1.ReasonInitializing)
}

// maxRunName is the length of the longest name of a run.
const maxRunName = 58

func withStopRequest(annotations map[string]string, why *State) map[string]string {
	with := map[string]string{
		v1alpha1.AnnotationStopVerdict:   string(why.Verdict),
		v1alpha1.AnnotationStopReason:    why.Reason,
		v1alpha1.AnnotationStopMessage:   results.Cut(why.Message, maxMessage),
		v1alpha1.AnnotationStopInFavorOf: why.InFavorOf,
	}
	for key, value := range annotations {
		if _, ours := with[key]; !ours {
			with[key] = value
		}
	}
	return with
}

// stopRequest reads what withStopRequest wrote; nil if there is no request. The operator stops a run only as Error or Cancelled, with a
// reason of the API. Anything else was written by somebody else and is ignored: see docs/decisions/trust.md.
func stopRequest(annotations map[string]string) *State {
	verdict := v1alpha1.Verdict(annotations[v1alpha1.AnnotationStopVerdict])
	reason := annotations[v1alpha1.AnnotationStopReason]
	if verdict != v1alpha1.VerdictError && verdict != v1alpha1.VerdictCancelled || !slices.Contains(v1alpha1.Reasons, reason) {
		return nil
	}
	why := Finished(verdict, reason, results.Cut(annotations[v1alpha1.AnnotationStopMessage], maxMessage))
	if other := annotations[v1alpha1.AnnotationStopInFavorOf]; len(other) <= maxRunName {
		why.InFavorOf = other
	}
	return why
}

// StopOfJob is why the Job was stopped; nil if it was not. Whoever may change a Job can write the annotations, so they count only together
// with the time limit of zero that the same write sets. A Job with that limit has no pods, suspended or not: whoever sets it does stop the
// Job.
func StopOfJob(job *batchv1.Job) *State {
	if job == nil || ptr.Deref(job.Spec.ActiveDeadlineSeconds, 1) != 0 {
		return nil
	}
	return stopRequest(job.Annotations)
}

// StopOfPod is why the pod was stopped; nil if it was not. As in StopOfJob, the annotations count only together with the time limit.
func StopOfPod(pod *corev1.Pod) *State {
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
