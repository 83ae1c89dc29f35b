package lifecycle

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

// moment is when a test was told to stop, as exactly as that is known: Kubernetes writes whole seconds, and not always the one in
// question.
type moment struct{ earliest, latest time.Time }

func at(t time.Time) moment { return moment{t, t} }

// deletionOf is when the deletion of the pod was asked for: its deletionTimestamp is the end of the grace period. The grace period
// is 0 once the kubelet takes a pod away that it has stopped, and the timestamp is then that of the taking away.
func deletionOf(pod *corev1.Pod) moment {
	grace := time.Duration(ptr.Deref(pod.DeletionGracePeriodSeconds, 0)) * time.Second
	if grace == 0 {
		return moment{pod.DeletionTimestamp.Add(-reportMargin), pod.DeletionTimestamp.Time}
	}
	return at(pod.DeletionTimestamp.Add(-grace))
}

// deadlineOf is when the kubelet stopped the pod because of its time limit. It is zero if that is not known.
func deadlineOf(seen Observation) moment {
	limit := seen.Record.RunTimeout
	if lowered := seen.Pod.Spec.ActiveDeadlineSeconds; seen.Pod.Status.StartTime == nil || lowered != nil && time.Duration(*lowered)*time.Second != limit {
		return moment{}
	}
	return at(seen.Pod.Status.StartTime.Add(limit))
}

// testEndedBefore says whether the test's container ended by itself, before it was told to stop. When in doubt it did not: what
// was told to stop has not finished, whatever its exit code.
//
// The runner knows whether a signal came before the test's end, but not from whom; the times are those of two clocks. So a signal
// is put down to what Kubernetes did to the pod, unless the test had ended long before. Where the times leave it open, the
// runner's word counts, but for a container with a preStop hook: that stops a test without a signal.
func testEndedBefore(seen Observation, told moment) bool {
	end, report := testContainer(seen).Terminated, seen.Report
	switch {
	case end == nil, end.FinishedAt.IsZero(): // the node does not know how it ended
		return false
	case report != nil && report.Stopped != "":
		return end.FinishedAt.Time.Before(told.earliest.Add(-reportMargin))
	case end.FinishedAt.Time.Before(told.earliest):
		return true
	case end.FinishedAt.After(told.latest):
		return false
	default:
		return report != nil && report.Final && !hasPreStopHook(seen)
	}
}

func hasPreStopHook(seen Observation) bool {
	for _, container := range seen.Pod.Spec.Containers {
		if container.Name == seen.Record.Container {
			return container.Lifecycle != nil && container.Lifecycle.PreStop != nil
		}
	}
	return false
}
