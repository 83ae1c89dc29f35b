package lifecycle

import (
	"fmt"
	"time"

	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/admission"
)

// cancellation returns a function that makes the final state of a run which has to be cancelled; nil for any other run. Its argument
// follows the word "Cancelled" in the message.
func cancellation(seen Observation) func(when string) *State {
	switch {
	case ptr.Deref(seen.Run.Spec.Cancel, false):
		return func(when string) *State {
			return Finished(v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled, "Cancelled "+when)
		}
	case seen.Turn.Action == admission.Cancel:
		return func(when string) *State {
			end := endedByQueue(seen.Turn)
			end.Message = fmt.Sprintf("Cancelled %s. %s", when, end.Message)
			return end
		}
	default:
		return nil
	}
}

func cancelRequested(seen Observation, now time.Time) (Plan, bool) {
	cancelled := cancellation(seen)
	if cancelled == nil {
		return Plan{}, false
	}
	switch {
	case seen.Job == nil && LastEnded(seen.Run.Status) != nil:
		return Plan{State: cancelled("between two attempts")}, true
	case seen.Job == nil:
		return Plan{State: cancelled("before it started")}, true
	case !testHasRun(seen):
		state := cancelled("before the test ran")
		return Plan{Stop: state, State: state}, true
	case seen.Pod == nil:
		state := cancelled("when the test's pod was gone")
		return Plan{Stop: state, State: state}, true
	case StopOfPod(seen.Pod) != nil:
		return Plan{
			State:        inProgress(v1alpha1.ReasonCancelling, "The pod has been told to stop"),
			RequeueAfter: max(0, overdueAt(seen).Sub(now)),
		}, seen.SilentSince.IsZero() // a silent node has not received the stop: see nodeSilent
	default:
		return Plan{
			Stop:  cancelled("while the test ran"),
			State: inProgress(v1alpha1.ReasonCancelling, "The pod has been told to stop"),
		}, true
	}
}
