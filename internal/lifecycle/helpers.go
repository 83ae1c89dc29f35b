package lifecycle

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// waitsForHelpers applies when the test has ended and other containers of its pod, the helpers, have not. How the test ended decides the
// verdict. The helpers have the pod's grace period to end by themselves, then they are stopped. The run's slot becomes free, and another
// attempt may begin, only when they have ended. The wait has a limit, because a lost node never reports their end. See
// docs/decisions/stopping.md.
func waitsForHelpers(seen Observation, now time.Time) (Plan, bool) {
	end := testContainer(seen).Terminated
	if end == nil || PodHasEnded(seen.Pod) {
		return Plan{}, false
	}
	grace := time.Duration(ptr.Deref(seen.Pod.Spec.TerminationGracePeriodSeconds, 0)) * time.Second
	if nothingRuns(seen.Pod) {
		return waitsForPod(seen, end.FinishedAt.Add(grace+overdueMargin), now), true
	}
	reason, message := helpersOf(seen)
	stopAt := end.FinishedAt.Add(grace)
	if reason == "" { // only sidecars are left, which Kubernetes stops by itself
		reason, message, stopAt = v1alpha1.ReasonHelpersRunning, "its sidecars are stopped", stopAt.Add(reportMargin)
	}
	giveUp := stopAt.Add(grace + overdueMargin)
	if !now.Before(giveUp) {
		return withoutHelpers(seen), true
	}
	if cancellation(seen) != nil {
		stopAt = now
	}
	plan := Plan{RequeueAfter: giveUp.Sub(now)}
	switch reportAt := end.FinishedAt.Add(ExplainAfter); {
	case !now.Before(stopAt):
		plan.StopHelpers = !helpersStopped(seen.Pod) && StopOfPod(seen.Pod) == nil && seen.Pod.DeletionTimestamp.IsZero()
	case now.Before(reportAt):
		return Plan{RequeueAfter: min(stopAt.Sub(now), reportAt.Sub(now))}, true
	default:
		plan.RequeueAfter = stopAt.Sub(now)
	}
	plan.State = inProgress(reason, howTestEnded(seen)+"; "+message)
	return plan, true
}

// waitsForPod waits until the node reports that the pod has ended. There is nothing to stop, and nothing that another attempt could run
// beside.
func waitsForPod(seen Observation, giveUp, now time.Time) Plan {
	if left := giveUp.Sub(now); left > 0 {
		return Plan{RequeueAfter: left}
	}
	return orAnotherAttempt(seen, endOfTest(seen))
}

// withoutHelpers ends the attempt while its helpers may still run. As with a silent node, another attempt may begin only if
// retry.unreachable is Replace.
func withoutHelpers(seen Observation) Plan {
	end := endOfTest(seen)
	if seen.Record.Retry.Replace {
		return orAnotherAttempt(seen, end)
	}
	return Plan{State: lastOf(CurrentAttempt(seen.Run.Status).Number, end)}
}

// endOfTest is the final state that follows from the end of the test's container.
func endOfTest(seen Observation) *State {
	if !testHasRun(seen) {
		return causeOfNotRunning(seen)
	}
	return verdictOfExit(seen)
}

// maxHelpers is how many helpers a message names.
const maxHelpers = 3

// helpersOf describes the helpers that have not ended, and what is wrong with them. The reason is empty if there are none.
func helpersOf(seen Observation) (reason, message string) {
	_, helpers := containersOf(seen)
	var words []string
	for _, status := range helpers {
		switch state := status.State; {
		case state.Terminated != nil:
			continue
		case state.Waiting != nil && waitingReasons[state.Waiting.Reason] != "":
			reason = v1alpha1.ReasonHelpersNotStarted
			words = append([]string{waitingMessage(status)}, words...)
		case state.Running != nil:
			words = append(words, fmt.Sprintf("container %s still runs", status.Name))
		default:
			words = append(words, fmt.Sprintf("container %s has not started", status.Name))
		}
	}
	if len(words) == 0 {
		return "", ""
	}
	if reason == "" {
		reason = v1alpha1.ReasonHelpersRunning
	}
	if more := len(words) - maxHelpers; more > 0 {
		words = append(words[:maxHelpers], fmt.Sprintf("and %d more", more))
	}
	return reason, strings.Join(words, "; ")
}

// howTestEnded describes in a few words how the test ended.
func howTestEnded(seen Observation) string {
	if !testHasRun(seen) {
		return "The test could not be started"
	}
	words := fmt.Sprintf("The test has ended with exit code %d", testContainer(seen).Terminated.ExitCode)
	if seen.Report != nil && seen.Report.Total() > 0 {
		words += ", " + countsOf(seen.Report)
	}
	return words
}

// helpersStopped says whether the operator stopped the pod after its test had ended. As in StopOfPod, the annotation counts only together
// with the time limit that the same write lowered.
func helpersStopped(pod *corev1.Pod) bool {
	return pod != nil && deadlineLowered(pod) && pod.Annotations[v1alpha1.AnnotationHelpersStopped] != ""
}
