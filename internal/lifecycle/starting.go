package lifecycle

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// step is how far the start of an attempt has come: a reason of the API, Kubernetes' own message, and since when.
type step struct {
	reason  string
	message string
	since   time.Time
	// isQuiet says that there is no sign of trouble: the cluster has not got to the Job or the pod yet.
	isQuiet bool
}

// reportAt is when the status is to name the step: see docs/decisions/writes.md.
func (s step) reportAt() time.Time {
	if s.isQuiet {
		return s.since.Add(explainBusyAfter)
	}
	return s.since.Add(ExplainAfter)
}

// nextLook is when to look again at a step that lasts. Kubernetes reports some troubles only in events, and these wake nobody. So the
// controller looks when the step is slow, when it is to be reported, and then whenever its time has doubled.
func (s step) nextLook(now time.Time) time.Time {
	for _, look := range []time.Time{s.since.Add(ExplainAfter), s.reportAt()} {
		if now.Before(look) {
			return look
		}
	}
	return now.Add(now.Sub(s.since))
}

// startFailures are the reasons of a step with which a run may end. All other steps are ordinary and no cause: a run that timeouts.start
// ends at one of them ends as StartTimeout, and its message names the step.
var startFailures = []string{
	v1alpha1.ReasonJobRefused, v1alpha1.ReasonJobNameTaken, v1alpha1.ReasonQuotaExceeded, v1alpha1.ReasonServiceAccountNotFound,
	v1alpha1.ReasonPodRefused, v1alpha1.ReasonUnschedulable, v1alpha1.ReasonVolumeNotReady, v1alpha1.ReasonImagePullFailed,
	v1alpha1.ReasonRunnerImagePullFailed, v1alpha1.ReasonContainerConfigError, v1alpha1.ReasonContainerNotCreated,
}

// couldNotStart is the final state of a run whose start was at that step.
func couldNotStart(reason, message string) *State {
	if !slices.Contains(startFailures, reason) {
		reason = v1alpha1.ReasonStartTimeout
	}
	return Finished(v1alpha1.VerdictError, reason, message)
}

// startingStep says how far the start of the attempt has come. The attempt has a Job.
func startingStep(seen Observation) step {
	switch {
	case seen.Pod == nil:
		return withoutPod(seen)
	case seen.Pod.Spec.NodeName != "":
		return onNode(seen, podCondition(seen.Pod, corev1.PodScheduled))
	default:
		return withoutNode(seen, podCondition(seen.Pod, corev1.PodScheduled))
	}
}

// withoutNode: the scheduler reports in the condition PodScheduled. Others that take part, such as the controller of resource claims,
// report only in events.
func withoutNode(seen Observation, scheduled *corev1.PodCondition) step {
	since := seen.Pod.CreationTimestamp.Time
	event, hasEvent := warningSince(seen, since)
	if scheduled == nil || scheduled.Message == "" {
		switch scheduler := seen.Pod.Spec.SchedulerName; {
		case hasEvent:
			return step{reason: v1alpha1.ReasonUnschedulable, message: event.Message, since: since}
		case scheduler != "" && scheduler != corev1.DefaultSchedulerName:
			message := fmt.Sprintf("No scheduler named %q has looked at the pod (schedulerName)", scheduler)
			return step{reason: v1alpha1.ReasonScheduling, message: message, since: since, isQuiet: true}
		default:
			return step{reason: v1alpha1.ReasonScheduling, message: "The pod waits for a node", since: since, isQuiet: true}
		}
	}
	at := step{reason: v1alpha1.ReasonScheduling, message: scheduled.Message, since: scheduled.LastTransitionTime.Time}
	if scheduled.Reason == corev1.PodReasonUnschedulable {
		at.reason = v1alpha1.ReasonUnschedulable
	}
	if hasEvent && event.Reason != eventFailedScheduling {
		at.reason, at.message = v1alpha1.ReasonUnschedulable, fmt.Sprintf("%s. %s", event.Message, scheduled.Message)
	}
	return at
}

// eventFailedScheduling is the reason of the scheduler's event. It repeats the condition PodScheduled.
const eventFailedScheduling = "FailedScheduling"

// warningSince is the newest Warning event, if it is from that time or later.
func warningSince(seen Observation, since time.Time) (Warning, bool) {
	if len(seen.Warnings) == 0 || seen.Warnings[0].At.Before(since.Truncate(time.Second)) {
		return Warning{}, false
	}
	return seen.Warnings[0], true
}

// lastStep says at which step the start was when the pod ended. It prefers the stored step, since a kubelet that ends a pod forgets what
// its containers waited for.
func lastStep(seen Observation) (reason, message string) {
	if stored := CurrentReason(seen.Run.Status); stored != "" && stored != v1alpha1.ReasonWaiting {
		return stored, CurrentMessage(seen.Run.Status)
	}
	step := startingStep(seen)
	return step.reason, step.message
}

// withoutPod: the Job controller reports only in events why it cannot create a pod.
func withoutPod(seen Observation) step {
	since := releasedAt(seen.Job)
	for _, warning := range seen.Warnings {
		if warning.Reason == "FailedCreate" {
			return step{reason: ReasonOfRefusal(warning.Message, v1alpha1.ReasonPodRefused), message: warning.Message, since: since}
		}
	}
	message := fmt.Sprintf("Job %s has no pod yet", seen.Job.Name)
	if IsSuspended(seen.Job) {
		message = fmt.Sprintf("Job %s has no pod, because somebody suspended it", seen.Job.Name)
	}
	return step{reason: v1alpha1.ReasonCreatingPod, message: message, since: since, isQuiet: true}
}

// ReasonOfRefusal finds the reason for which the API server refuses a Job or a pod, from the words of its message. The admission plugins
// ResourceQuota and ServiceAccount can only be told by their words; for all other refusals it returns otherwise. "failed quota" is not
// matched: it means that a quota demands requests or limits, not that it is exceeded. test/e2e compares these words with real messages.
func ReasonOfRefusal(words, otherwise string) string {
	switch {
	case strings.Contains(words, "exceeded quota:"), strings.Contains(words, "insufficient quota to match these scopes:"):
		return v1alpha1.ReasonQuotaExceeded
	case strings.Contains(words, "error looking up service account"):
		return v1alpha1.ReasonServiceAccountNotFound
	default:
		return otherwise
	}
}

// onNode: the kubelet reports the step in the containers' states and in the condition PodReadyToStartContainers. It reports trouble with a
// volume only in events.
func onNode(seen Observation, scheduled *corev1.PodCondition) step {
	since := seen.Pod.CreationTimestamp.Time
	if scheduled != nil {
		since = scheduled.LastTransitionTime.Time
	}
	if seen.NodeMissing {
		return step{reason: v1alpha1.ReasonUnschedulable, message: fmt.Sprintf("Node %s does not exist", seen.Pod.Spec.NodeName), since: since}
	}
	if reason, message := waitingContainer(seen); reason != "" {
		return step{reason: reason, message: message, since: since}
	}
	ready := podCondition(seen.Pod, corev1.PodReadyToStartContainers)
	if ready == nil || ready.Status != corev1.ConditionTrue {
		return preparing(seen, since)
	}
	since = ready.LastTransitionTime.Time
	if initialized := podCondition(seen.Pod, corev1.PodInitialized); initialized != nil && initialized.Status != corev1.ConditionTrue {
		return step{reason: v1alpha1.ReasonInitializing, message: fmt.Sprintf("Init containers run: %s", initialized.Message), since: since}
	}
	message := fmt.Sprintf("Node %s is getting the image and starting the container", seen.Pod.Spec.NodeName)
	if event, ok := warningSince(seen, since); ok {
		message += ". " + event.Message
	}
	return step{reason: v1alpha1.ReasonPullingImage, message: message, since: since}
}

func preparing(seen Observation, since time.Time) step {
	for _, warning := range seen.Warnings {
		switch warning.Reason {
		case "FailedMount", "FailedAttachVolume", "FailedMapVolume":
			return step{reason: v1alpha1.ReasonVolumeNotReady, message: warning.Message, since: since}
		case "FailedCreatePodSandBox":
			return step{reason: v1alpha1.ReasonPreparing, message: warning.Message, since: since}
		}
	}
	message := fmt.Sprintf("Node %s is setting up volumes and network", seen.Pod.Spec.NodeName)
	if event, ok := warningSince(seen, since); ok && event.Reason != eventFailedScheduling {
		message = event.Message
	}
	return step{reason: v1alpha1.ReasonPreparing, message: message, since: since}
}
