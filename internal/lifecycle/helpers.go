package lifecycle

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// waitsForHelpers: the test's own end decides. The other containers of its pod get the pod's grace period to end by themselves, and
// are then stopped; the slot of the run is free, and another attempt may begin, only when they have ended. A node that never says
// so is not waited for: how the test ended is known.
func waitsForHelpers(seen Observation, now time.Time) (Plan, bool) {
	end := testContainer(seen).Terminated
	if end == nil || PodHasEnded(seen.Pod) {
		return Plan{}, false
	}
	grace := time.Duration(ptr.Deref(seen.Pod.Spec.TerminationGracePeriodSeconds, 0)) * time.Second
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
	waits := Plan{RequeueAfter: giveUp.Sub(now)}
	switch worthTelling := end.FinishedAt.Add(ExplainAfter); {
	case !now.Before(stopAt):
		waits.StopHelpers = !helpersStopped(seen.Pod) && StopOfPod(seen.Pod) == nil && seen.Pod.DeletionTimestamp.IsZero()
	case now.Before(worthTelling):
		return Plan{RequeueAfter: min(stopAt.Sub(now), worthTelling.Sub(now))}, true
	default:
		waits.RequeueAfter = stopAt.Sub(now)
	}
	waits.State = inProgress(reason, howTestEnded(seen)+"; "+message)
	return waits, true
}

// withoutHelpers ends the attempt while its helpers may still run. As with a node that is silent, another attempt may begin beside
// them only if the run allows for it.
func withoutHelpers(seen Observation) Plan {
	end := endOfTest(seen)
	if seen.Record.Retry.Replace {
		return orAnotherAttempt(seen, end)
	}
	return Plan{State: lastOf(CurrentAttempt(seen.Run.Status).Number, end)}
}

// endOfTest is what the end of the test's container means.
func endOfTest(seen Observation) *State {
	if !testHasRun(seen) {
		return causeOfNotRunning(seen)
	}
	return verdictOfExit(seen)
}

// maxHelpers is how many helpers a message names.
const maxHelpers = 3

// helpersOf says which containers beside the test have not ended, and what is wrong with them. The reason is empty if there is none.
func helpersOf(seen Observation) (reason, message string) {
	_, beside := containersOf(seen)
	var words []string
	for _, status := range beside {
		switch state := status.State; {
		case state.Terminated != nil:
			continue
		case state.Waiting != nil && waitingReasons[state.Waiting.Reason] != "":
			reason = v1alpha1.ReasonHelpersNotStarted
			words = append([]string{wordsOfWaiting(status)}, words...)
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

// howTestEnded says so in a few words.
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

// helpersStopped says whether the operator stopped the pod after its test had ended. As with stopOfPod, the annotation counts
// together with what the same write did.
func helpersStopped(pod *corev1.Pod) bool {
	return pod != nil && deadlineLowered(pod) && pod.Annotations[v1alpha1.AnnotationHelpersStopped] != ""
}
