package testrun

import (
	"fmt"
	"time"

	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/admission"
)

// cancellation is why the run is to be cancelled, in words that follow "Cancelled while…"; nil if it is not to be.
func cancellation(seen observation) func(when string) *state {
	switch {
	case ptr.Deref(seen.run.Spec.Cancel, false):
		return func(when string) *state {
			return finished(v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled, "Cancelled "+when)
		}
	case seen.turn.Action == admission.Cancel:
		return func(when string) *state {
			end := endedByQueue(seen.turn)
			end.message = fmt.Sprintf("Cancelled %s. %s", when, end.message)
			return end
		}
	default:
		return nil
	}
}

func cancelRequested(seen observation, now time.Time) (plan, bool) {
	cancelled := cancellation(seen)
	if cancelled == nil {
		return plan{}, false
	}
	switch {
	case seen.job == nil && lastEnded(seen.run.Status) != nil:
		return plan{state: cancelled("between two attempts")}, true
	case seen.job == nil:
		return plan{state: cancelled("before it started")}, true
	case !testHasRun(seen):
		state := cancelled("before the test ran")
		return plan{stop: state, state: state}, true
	case seen.pod == nil:
		state := cancelled("when the test's pod was gone")
		return plan{stop: state, state: state}, true
	case stopOfPod(seen.pod) != nil:
		return plan{
			state:        inProgress(v1alpha1.ReasonCancelling, "The pod has been told to stop"),
			requeueAfter: max(0, overdueAt(seen).Sub(now)),
		}, seen.silentSince.IsZero() // a silent node has not heard of it
	default:
		return plan{
			stop:  cancelled("while the test ran"),
			state: inProgress(v1alpha1.ReasonCancelling, "The pod has been told to stop"),
		}, true
	}
}
