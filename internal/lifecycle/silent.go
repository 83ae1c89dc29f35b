package lifecycle

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// overdueMargin is how long after the end of a pod's time a node that works has surely stopped it.
const overdueMargin = time.Minute

// overdueAt is when the node must have stopped the pod, whose test runs; zero if the pod has no limit.
func overdueAt(seen Observation) time.Time {
	limit := seen.Record.RunTimeout
	if limit == 0 || seen.Pod.Status.StartTime == nil {
		return time.Time{}
	}
	grace := time.Duration(ptr.Deref(seen.Pod.Spec.TerminationGracePeriodSeconds, 0)) * time.Second
	return seen.Pod.Status.StartTime.Add(limit + grace + overdueMargin)
}

// mayBeSilent says whether it is worth asking about the node: Kubernetes calls the pods of a silent node unready.
func mayBeSilent(seen Observation, now time.Time) bool {
	if seen.Pod == nil || PodHasEnded(seen.Pod) || testContainer(seen).Running == nil {
		return false
	}
	ready, overdue := podCondition(seen.Pod, corev1.PodReady), overdueAt(seen)
	return ready != nil && ready.Status != corev1.ConditionTrue || !overdue.IsZero() && !now.Before(overdue)
}

// SilentSince is when the node stopped to look after the pod: since then it is not ready, or else the pod is overdue. It is zero
// for a node that is ready while the pod still has time.
func SilentSince(seen Observation, node *corev1.Node, now time.Time) time.Time {
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady && condition.Status != corev1.ConditionTrue {
			return condition.LastTransitionTime.Time
		}
	}
	if overdue := overdueAt(seen); !now.Before(overdue) {
		return overdue
	}
	return time.Time{}
}

// nodeLost: the pod is told to stop, in case that its node comes back. It has not ended as far as anybody knows, so that only a
// test that allows it gets another attempt.
func nodeLost(seen Observation, now time.Time) (Plan, bool) {
	if seen.SilentSince.IsZero() {
		return Plan{}, false
	}
	limit := seen.Record.UnreachableTimeout
	if now.Before(seen.SilentSince.Add(limit)) {
		return Plan{}, false
	}
	end := StopOfPod(seen.Pod) // a cancelled one has ended as that
	if end == nil {
		end = Finished(v1alpha1.VerdictError, v1alpha1.ReasonNodeUnreachable, fmt.Sprintf(
			"Node %s has been silent for %s (timeouts.unreachable); the test may still run there", seen.Pod.Spec.NodeName, limit))
	}
	over := Plan{State: lastOf(CurrentAttempt(seen.Run.Status).Number, end)}
	if seen.Record.Retry.Replace {
		over = orAnotherAttempt(seen, end)
	}
	over.Stop = end
	return over, true
}

func nodeSilent(seen Observation, now time.Time) (Plan, bool) {
	if seen.SilentSince.IsZero() {
		return Plan{}, false
	}
	limit := seen.Record.UnreachableTimeout
	return Plan{
		State: inProgress(v1alpha1.ReasonNodeUnreachable, fmt.Sprintf("Node %s has been silent since %s; it has %s to come back (timeouts.unreachable)",
			seen.Pod.Spec.NodeName, seen.SilentSince.UTC().Format(time.RFC3339), limit)),
		RequeueAfter: seen.SilentSince.Add(limit).Sub(now),
	}, true
}
