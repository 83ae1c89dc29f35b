package testrun

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
func waitsForHelpers(seen observation, now time.Time) (plan, bool) {
	end := testContainer(seen).Terminated
	if end == nil || podHasEnded(seen.pod) {
		return plan{}, false
	}
	grace := time.Duration(ptr.Deref(seen.pod.Spec.TerminationGracePeriodSeconds, 0)) * time.Second
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
	waits := plan{requeueAfter: giveUp.Sub(now)}
	switch worthTelling := end.FinishedAt.Add(explainAfter); {
	case !now.Before(stopAt):
		waits.stopHelpers = !helpersStopped(seen.pod) && stopOfPod(seen.pod) == nil && seen.pod.DeletionTimestamp.IsZero()
	case now.Before(worthTelling):
		return plan{requeueAfter: min(stopAt.Sub(now), worthTelling.Sub(now))}, true
	default:
		waits.requeueAfter = stopAt.Sub(now)
	}
	waits.state = inProgress(reason, howTestEnded(seen)+"; "+message)
	return waits, true
}

// withoutHelpers ends the attempt while its helpers may still run. As with a node that is silent, another attempt may begin beside
// them only if the run allows for it.
func withoutHelpers(seen observation) plan {
	end := endOfTest(seen)
	if retryPolicyOf(seen.job).Replace {
		return orAnotherAttempt(seen, end)
	}
	return plan{state: lastOf(currentAttempt(seen.run.Status).Number, end)}
}

// endOfTest is what the end of the test's container means.
func endOfTest(seen observation) *state {
	if !testHasRun(seen) {
		return causeOfNotRunning(seen)
	}
	return verdictOfExit(seen)
}

// maxHelpers is how many helpers a message names.
const maxHelpers = 3

// helpersOf says which containers beside the test have not ended, and what is wrong with them. The reason is empty if there is none.
func helpersOf(seen observation) (reason, message string) {
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
func howTestEnded(seen observation) string {
	if !testHasRun(seen) {
		return "The test could not be started"
	}
	words := fmt.Sprintf("The test has ended with exit code %d", testContainer(seen).Terminated.ExitCode)
	if seen.report != nil && seen.report.Total() > 0 {
		words += ", " + countsOf(seen.report)
	}
	return words
}

// helpersStopped says whether the operator stopped the pod after its test had ended. As with stopOfPod, the annotation counts
// together with what the same write did.
func helpersStopped(pod *corev1.Pod) bool {
	return pod != nil && deadlineLowered(pod) && pod.Annotations[v1alpha1.AnnotationHelpersStopped] != ""
}
