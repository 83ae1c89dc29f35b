package lifecycle

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// overdueMargin is how long a working node may take to stop a pod, counted from the end of the pod's time limit and grace period.
const overdueMargin = time.Minute

// overdueAt is when a working node must have stopped the pod, whose test runs; zero if the pod has no limit.
func overdueAt(seen Observation) time.Time {
	limit := seen.Record.RunTimeout
	if limit == 0 || seen.Pod.Status.StartTime == nil {
		return time.Time{}
	}
	grace := time.Duration(ptr.Deref(seen.Pod.Spec.TerminationGracePeriodSeconds, 0)) * time.Second
	return seen.Pod.Status.StartTime.Add(limit + grace + overdueMargin)
}

// mayBeSilent says whether it is worth reading the node: its pod is unready, as Kubernetes marks the pods of a silent node, or is overdue.
func mayBeSilent(seen Observation, now time.Time) bool {
	if seen.Pod == nil || PodHasEnded(seen.Pod) || testContainer(seen).Running == nil {
		return false
	}
	ready, overdue := podCondition(seen.Pod, corev1.PodReady), overdueAt(seen)
	return ready != nil && ready.Status != corev1.ConditionTrue || !overdue.IsZero() && !now.Before(overdue)
}

// SilentSince is when the node stopped looking after the pod: when the node became unready, or else when the pod became overdue. It is zero
// for a ready node whose pod still has time.
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

// nodeLost ends the attempt, and also tells the pod to stop, in case its node comes back. The pod may still run, so another attempt follows
// only if retry.unreachable is Replace.
func nodeLost(seen Observation, now time.Time) (Plan, bool) {
	if seen.SilentSince.IsZero() {
		return Plan{}, false
	}
	limit := seen.Record.UnreachableTimeout
	if now.Before(seen.SilentSince.Add(limit)) {
		return Plan{}, false
	}
	end := StopOfPod(seen.Pod) // an attempt that was being stopped ends with that reason
	if end == nil {
		end = Finished(v1alpha1.VerdictError, v1alpha1.ReasonNodeUnreachable, fmt.Sprintf(
			"Node %s has been silent for %s (timeouts.unreachable); the test may still run there", seen.Pod.Spec.NodeName, limit))
	}
	plan := Plan{State: lastOf(CurrentAttempt(seen.Run.Status).Number, end)}
	if seen.Record.Retry.Replace {
		plan = orAnotherAttempt(seen, end)
	}
	plan.Stop = end
	return plan, true
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
