package testrun

import (
	"context"
	"fmt"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/log"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/jobspec"
	"github.com/testrun-dev/testrun/internal/lifecycle"
)

// announce reports a transition that has been stored: in the log, in the metrics, and as an event if something may be wrong or slow. That
// the test runs is no such news, nor that it passed: the events of the pod and the Job say so. See docs/decisions/writes.md.
func (r *Reconciler) announce(ctx context.Context, run *v1alpha1.TestRun, status v1alpha1.TestRunStatus) {
	if status.Phase == run.Status.Phase && lifecycle.CurrentReason(status) == lifecycle.CurrentReason(run.Status) {
		return
	}
	attempt := lifecycle.CurrentAttempt(status)
	log.FromContext(ctx).Info("The run has moved", "phase", status.Phase, "verdict", status.Verdict,
		"reason", lifecycle.CurrentReason(status), "message", lifecycle.CurrentMessage(status),
		"job", attempt.Job, "pod", attempt.Pod, "node", attempt.Node)
	if lifecycle.CurrentReason(status) != v1alpha1.ReasonRunning && status.Verdict != v1alpha1.VerdictPassed {
		r.Recorder.Eventf(run, nil, eventType(status), lifecycle.CurrentReason(status), string(status.Phase), "%s", lifecycle.CurrentMessage(status))
	}
	r.Metrics.observe(run, status)
}

func eventType(status v1alpha1.TestRunStatus) string {
	if status.Phase == v1alpha1.PhaseFinished {
		return corev1.EventTypeWarning
	}
	return corev1.EventTypeNormal
}

// maxReferences is how many references an event names.
const maxReferences = 5

// warnOfReferences warns the author of a run of each $(NAME) in its Job that refers to nothing. Kubernetes leaves such a reference as it
// is.
func (r *Reconciler) warnOfReferences(run *v1alpha1.TestRun, job *batchv1.Job) {
	unknown := jobspec.UnknownReferences(&job.Spec.Template.Spec)
	if len(unknown) == 0 {
		return
	}
	if more := len(unknown) - maxReferences; more > 0 {
		unknown = append(unknown[:maxReferences], fmt.Sprintf("and %d more", more))
	}
	r.Recorder.Eventf(run, nil, corev1.EventTypeWarning, v1alpha1.EventUnknownReference, "CreateJob",
		"%s: nothing has that name, so it is passed on as it is. Define a param or a variable of that name before it is used, or write $$(…) for the text itself",
		strings.Join(unknown, ", "))
}
