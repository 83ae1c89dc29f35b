package testrun

import (
	"cmp"
	"fmt"
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
}

// waitsForNode is said of a pod of which the scheduler has said nothing.
const waitsForNode = "The pod waits for a node"

// worthTelling is when the status is to name the step. A Job without a pod, and a pod of which the scheduler has said nothing, show no
// sign of trouble: the cluster has not come to them.
func (s step) worthTelling() time.Time {
	if s.reason == v1alpha1.ReasonCreatingPod || s.message == waitsForNode {
		return s.since.Add(explainBusyAfter)
	}
	return s.since.Add(explainAfter)
}

// nextLook is when to look again at a step that lasts. What Kubernetes tells in events alone wakes nobody, so it is asked for: when
// the step is slow, when it is worth telling, and then each time that it has lasted for twice as long.
func (s step) nextLook(now time.Time) time.Time {
	for _, look := range []time.Time{s.since.Add(explainAfter), s.worthTelling()} {
		if now.Before(look) {
			return look
		}
	}
	return now.Add(now.Sub(s.since))
}

// startingStep says at which step the start of the attempt is. The attempt has a Job.
func startingStep(seen observation) step {
	if seen.pod == nil {
		return withoutPod(seen)
	}
	scheduled := podCondition(seen.pod, corev1.PodScheduled)
	switch {
	case seen.pod.Spec.NodeName != "":
		return onNode(seen, scheduled)
	case scheduled != nil && scheduled.Reason == corev1.PodReasonUnschedulable:
		return step{v1alpha1.ReasonUnschedulable, scheduled.Message, scheduled.LastTransitionTime.Time}
	case scheduled != nil && scheduled.Message != "":
		return step{v1alpha1.ReasonScheduling, scheduled.Message, scheduled.LastTransitionTime.Time}
	default:
		return step{v1alpha1.ReasonScheduling, waitsForNode, seen.pod.CreationTimestamp.Time}
	}
}

// lastStep says at which step the start of an attempt was whose pod has ended: the one that was stored, since a kubelet that
// ends a pod forgets what its containers waited for.
func lastStep(seen observation) (reason, message string) {
	if stored := currentReason(seen.run.Status); stored != "" && stored != v1alpha1.ReasonWaiting {
		return stored, currentMessage(seen.run.Status)
	}
	step := startingStep(seen)
	return step.reason, step.message
}

// withoutPod: the Job controller says why it cannot create a pod in events alone, and there only in words. These are those
// of the API server's admission plugins ResourceQuota and ServiceAccount; other refusals are quoted under a reason that
// covers all. test/e2e holds them against the real ones.
func withoutPod(seen observation) step {
	since := releasedAt(seen.job)
	for _, warning := range seen.warnings {
		if warning.reason != "FailedCreate" {
			continue
		}
		switch {
		case strings.Contains(warning.message, "exceeded quota:"), strings.Contains(warning.message, "failed quota:"):
			return step{v1alpha1.ReasonQuotaExceeded, warning.message, since}
		case strings.Contains(warning.message, "error looking up service account"):
			return step{v1alpha1.ReasonServiceAccountNotFound, warning.message, since}
		default:
			return step{v1alpha1.ReasonPodRefused, warning.message, since}
		}
	}
	return step{v1alpha1.ReasonCreatingPod, fmt.Sprintf("Job %s has no pod yet", seen.job.Name), since}
}

// onNode: the kubelet names the step in the containers' states and in the condition PodReadyToStartContainers; what is
// wrong with a volume only in an event.
func onNode(seen observation, scheduled *corev1.PodCondition) step {
	since := seen.pod.CreationTimestamp.Time
	if scheduled != nil {
		since = scheduled.LastTransitionTime.Time
	}
	if reason, message := waitingContainer(seen.pod); reason != "" {
		return step{reason, message, since}
	}
	ready := podCondition(seen.pod, corev1.PodReadyToStartContainers)
	if ready == nil || ready.Status != corev1.ConditionTrue {
		return preparing(seen, since)
	}
	since = ready.LastTransitionTime.Time
	if initialized := podCondition(seen.pod, corev1.PodInitialized); initialized != nil && initialized.Status != corev1.ConditionTrue {
		return step{v1alpha1.ReasonInitializing, fmt.Sprintf("Init containers run: %s", initialized.Message), since}
	}
	return step{v1alpha1.ReasonPullingImage, fmt.Sprintf("Node %s is getting the image and starting the container", seen.pod.Spec.NodeName), since}
}

func preparing(seen observation, since time.Time) step {
	for _, warning := range seen.warnings {
		switch warning.reason {
		case "FailedMount", "FailedAttachVolume", "FailedMapVolume":
			return step{v1alpha1.ReasonVolumeNotReady, warning.message, since}
		case "FailedCreatePodSandBox":
			return step{v1alpha1.ReasonPreparing, warning.message, since}
		}
	}
	return step{v1alpha1.ReasonPreparing, fmt.Sprintf("Node %s is setting up volumes and network", seen.pod.Spec.NodeName), since}
}

// waitingReasons gives the API's word for the kubelet's, where waiting is not ordinary.
var waitingReasons = map[string]string{
	"ErrImagePull":               v1alpha1.ReasonImagePullFailed,
	"ImagePullBackOff":           v1alpha1.ReasonImagePullFailed,
	"InvalidImageName":           v1alpha1.ReasonImagePullFailed,
	"ErrImageNeverPull":          v1alpha1.ReasonImagePullFailed,
	"ImageInspectError":          v1alpha1.ReasonImagePullFailed,
	"RegistryUnavailable":        v1alpha1.ReasonImagePullFailed,
	"SignatureValidationFailed":  v1alpha1.ReasonImagePullFailed,
	"CreateContainerConfigError": v1alpha1.ReasonContainerConfigError,
	"PreCreateHookError":         v1alpha1.ReasonContainerNotCreated,
	"CreateContainerError":       v1alpha1.ReasonContainerNotCreated,
	"RunContainerError":          v1alpha1.ReasonContainerNotCreated,
	"PostStartHookError":         v1alpha1.ReasonContainerNotCreated,
	"CrashLoopBackOff":           v1alpha1.ReasonInitializing, // a sidecar among the init containers restarts
}

// waitingContainer returns the reason and message of the first container that cannot go on.
func waitingContainer(pod *corev1.Pod) (reason, message string) {
	for _, statuses := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for _, status := range statuses {
			waiting := status.State.Waiting
			if waiting == nil || waitingReasons[waiting.Reason] == "" {
				continue
			}
			return waitingReasons[waiting.Reason],
				fmt.Sprintf("Container %s: %s", status.Name, cmp.Or(waiting.Message, waiting.Reason))
		}
	}
	return "", ""
}
