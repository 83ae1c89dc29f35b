package testrun

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/log"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// announce tells people and machines of a transition that has been stored: a line in the log, the metrics, and an event unless it
// is the ordinary one, that the test runs: the pod's events say so too.
func (r *Reconciler) announce(ctx context.Context, run *v1alpha1.TestRun, status v1alpha1.TestRunStatus) {
	if status.Phase == run.Status.Phase && currentReason(status) == currentReason(run.Status) {
		return
	}
	attempt := currentAttempt(status)
	log.FromContext(ctx).Info("The run has moved", "phase", status.Phase, "verdict", status.Verdict,
		"reason", currentReason(status), "message", currentMessage(status),
		"job", attempt.Job, "pod", attempt.Pod, "node", attempt.Node)
	if currentReason(status) != v1alpha1.ReasonRunning {
		r.Recorder.Eventf(run, nil, eventType(status), currentReason(status), string(status.Phase), "%s", currentMessage(status))
	}
	r.Metrics.observe(run, status)
}

func eventType(status v1alpha1.TestRunStatus) string {
	switch {
	case status.Phase == v1alpha1.PhaseFinished && status.Verdict != v1alpha1.VerdictPassed:
		return corev1.EventTypeWarning
	default:
		return corev1.EventTypeNormal
	}
}
