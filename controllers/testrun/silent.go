package testrun

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// overdueMargin is how long after the end of a pod's time a node that works has surely stopped it.
const overdueMargin = time.Minute

// overdueAt is when the node must have stopped the pod, whose test runs; zero if the pod has no limit.
func overdueAt(seen observation) time.Time {
	limit := runTimeoutOf(seen.job)
	if limit == 0 || seen.pod.Status.StartTime == nil {
		return time.Time{}
	}
	grace := time.Duration(ptr.Deref(seen.pod.Spec.TerminationGracePeriodSeconds, 0)) * time.Second
	return seen.pod.Status.StartTime.Add(limit + grace + overdueMargin)
}

// mayBeSilent says whether it is worth asking about the node: Kubernetes calls the pods of a silent node unready.
func mayBeSilent(seen observation, now time.Time) bool {
	if seen.pod == nil || podHasEnded(seen.pod) || testContainer(seen).Running == nil {
		return false
	}
	ready, overdue := podCondition(seen.pod, corev1.PodReady), overdueAt(seen)
	return ready != nil && ready.Status != corev1.ConditionTrue || !overdue.IsZero() && !now.Before(overdue)
}

// silentSince is when the node stopped to look after the pod: since then it is not ready, or else the pod is overdue. It is zero
// for a node that is ready while the pod still has time.
func silentSince(seen observation, node *corev1.Node, now time.Time) time.Time {
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

// readSilence asks about the node of a pod that may be silent. A node that does not exist any more is no case of ours: then
// Kubernetes' pod garbage collector ends the pod.
func (r *Reconciler) readSilence(ctx context.Context, seen observation, now time.Time) (time.Time, error) {
	node := &corev1.Node{}
	err := r.APIReader.Get(ctx, client.ObjectKey{Name: seen.pod.Spec.NodeName}, node)
	switch {
	case apierrors.IsNotFound(err):
		return time.Time{}, nil
	case err != nil:
		return time.Time{}, fmt.Errorf("reading the node: %w", err)
	}
	return silentSince(seen, node, now), nil
}

// nodeLost: the pod is told to stop, in case that its node comes back. It has not ended as far as anybody knows, so that only a
// test that allows it gets another attempt.
func nodeLost(seen observation, now time.Time) (plan, bool) {
	if seen.silentSince.IsZero() {
		return plan{}, false
	}
	limit := unreachableTimeoutOf(seen.job)
	if now.Before(seen.silentSince.Add(limit)) {
		return plan{}, false
	}
	end := stopOfPod(seen.pod) // a cancelled one has ended as that
	if end == nil {
		end = finished(v1alpha1.VerdictError, v1alpha1.ReasonNodeUnreachable, fmt.Sprintf(
			"Node %s has been silent for %s (timeouts.unreachable); the test may still run there", seen.pod.Spec.NodeName, limit))
	}
	over := plan{state: lastOf(currentAttempt(seen.run.Status).Number, end)}
	if retryPolicyOf(seen.job).Replace {
		over = orAnotherAttempt(seen, end)
	}
	over.stop = end
	return over, true
}

func nodeSilent(seen observation, now time.Time) (plan, bool) {
	if seen.silentSince.IsZero() {
		return plan{}, false
	}
	limit := unreachableTimeoutOf(seen.job)
	return plan{
		state: inProgress(v1alpha1.ReasonNodeUnreachable, fmt.Sprintf("Node %s has been silent since %s; it has %s to come back (timeouts.unreachable)",
			seen.pod.Spec.NodeName, seen.silentSince.UTC().Format(time.RFC3339), limit)),
		requeueAfter: seen.silentSince.Add(limit).Sub(now),
	}, true
}
