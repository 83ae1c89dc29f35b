package lifecycle

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// step is where an attempt that has not started is at: a reason of the API, Kubernetes' own words, and since when.
type step struct {
	reason  string
	message string
	since   time.Time
	// isQuiet says that nothing shows a sign of trouble: the cluster has not come to the Job or the pod yet.
	isQuiet bool
}

// worthTelling is when the status is to name the step.
func (s step) worthTelling() time.Time {
	if s.isQuiet {
		return s.since.Add(explainBusyAfter)
	}
	return s.since.Add(ExplainAfter)
}

// nextLook is when to look again at a step that lasts. What Kubernetes tells in events alone wakes nobody, so it is asked for: when
// the step is slow, when it is worth telling, and then each time that it has lasted for twice as long.
func (s step) nextLook(now time.Time) time.Time {
	for _, look := range []time.Time{s.since.Add(ExplainAfter), s.worthTelling()} {
		if now.Before(look) {
			return look
		}
	}
	return now.Add(now.Sub(s.since))
}

// startFailures are the reasons of a start with which a run may end. Any other step of a start is ordinary and no cause: a run that
// timeouts.start ends there ends as StartTimeout, and its message names the step.
var startFailures = []string{
	v1alpha1.ReasonJobRefused, v1alpha1.ReasonJobNameTaken, v1alpha1.ReasonQuotaExceeded, v1alpha1.ReasonServiceAccountNotFound,
	v1alpha1.ReasonPodRefused, v1alpha1.ReasonUnschedulable, v1alpha1.ReasonVolumeNotReady, v1alpha1.ReasonImagePullFailed,
	v1alpha1.ReasonRunnerImagePullFailed, v1alpha1.ReasonContainerConfigError, v1alpha1.ReasonContainerNotCreated,
}

// couldNotStart ends a run whose start was at that step.
func couldNotStart(reason, message string) *State {
	if !slices.Contains(startFailures, reason) {
		reason = v1alpha1.ReasonStartTimeout
	}
	return Finished(v1alpha1.VerdictError, reason, message)
}

// startingStep says at which step the start of the attempt is. The attempt has a Job.
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

// withoutNode: the scheduler speaks in the condition PodScheduled. Who else has a part in it, such as the controller of resource
// claims, speaks in events alone.
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

// eventFailedScheduling is the scheduler's event. It says what the condition PodScheduled says.
const eventFailedScheduling = "FailedScheduling"

// warningSince is the newest Warning event, if it is from that time or later.
func warningSince(seen Observation, since time.Time) (Warning, bool) {
	if len(seen.Warnings) == 0 || seen.Warnings[0].At.Before(since.Truncate(time.Second)) {
		return Warning{}, false
	}
	return seen.Warnings[0], true
}

// lastStep says at which step the start of an attempt was whose pod has ended: the one that was stored, since a kubelet that
// ends a pod forgets what its containers waited for.
func lastStep(seen Observation) (reason, message string) {
	if stored := CurrentReason(seen.Run.Status); stored != "" && stored != v1alpha1.ReasonWaiting {
		return stored, CurrentMessage(seen.Run.Status)
	}
	step := startingStep(seen)
	return step.reason, step.message
}

// withoutPod: the Job controller says why it cannot create a pod in events alone.
func withoutPod(seen Observation) step {
	since := releasedAt(seen.Job)
	for _, warning := range seen.Warnings {
		if warning.Reason == "FailedCreate" {
			return step{reason: ReasonOfRefusal(warning.Message, v1alpha1.ReasonPodRefused), message: warning.Message, since: since}
		}
	}
	message := fmt.Sprintf("Job %s has no pod yet", seen.Job.Name)
	return step{reason: v1alpha1.ReasonCreatingPod, message: message, since: since, isQuiet: true}
}

// ReasonOfRefusal finds the reason for which the API server refuses a Job or a pod. Its admission plugins ResourceQuota and
// ServiceAccount say so in words alone; other refusals are quoted under a reason that covers all. A quota that demands requests or
// limits ("failed quota") is not exceeded. test/e2e holds these words against the real ones.
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

// onNode: the kubelet names the step in the containers' states and in the condition PodReadyToStartContainers; what is
// wrong with a volume only in an event.
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
