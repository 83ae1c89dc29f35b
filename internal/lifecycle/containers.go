package lifecycle

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// reasonInvalidImageName is the kubelet's word for a name that no image can have.
const reasonInvalidImageName = "InvalidImageName"

// waitingReasons gives the API's word for the kubelet's, where waiting is not ordinary.
var waitingReasons = map[string]string{
	"ErrImagePull":               v1alpha1.ReasonImagePullFailed,
	"ImagePullBackOff":           v1alpha1.ReasonImagePullFailed,
	reasonInvalidImageName:       v1alpha1.ReasonImagePullFailed,
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

// waitingContainer returns the reason and message of the first container that cannot go on. Those that the test needs come before
// those beside it, which do not keep it from starting.
func waitingContainer(seen Observation) (reason, message string) {
	needed, beside := containersOf(seen)
	for _, status := range slices.Concat(needed, beside) {
		waiting := status.State.Waiting
		if waiting != nil && waitingReasons[waiting.Reason] != "" {
			return reasonOfWaiting(seen, waiting), wordsOfWaiting(status)
		}
	}
	return "", ""
}

// containersOf parts the containers that must start before the test, and the test's own, from those beside it.
func containersOf(seen Observation) (needed, beside []corev1.ContainerStatus) {
	needed = slices.Clone(seen.Pod.Status.InitContainerStatuses)
	for _, status := range seen.Pod.Status.ContainerStatuses {
		if status.Name == seen.Record.Container {
			needed = append(needed, status)
		} else {
			beside = append(beside, status)
		}
	}
	return needed, beside
}

// reasonOfWaiting: that it is the runner's image which cannot be pulled, and not the test's, the kubelet says in words alone: the
// runner's image is a volume of the test's container. It quotes the name of the image that it is about.
func reasonOfWaiting(seen Observation, waiting *corev1.ContainerStateWaiting) string {
	reason := waitingReasons[waiting.Reason]
	if reason == v1alpha1.ReasonImagePullFailed && seen.Runner.Image != "" && strings.Contains(waiting.Message, strconv.Quote(seen.Runner.Image)) {
		return v1alpha1.ReasonRunnerImagePullFailed
	}
	return reason
}

func wordsOfWaiting(status corev1.ContainerStatus) string {
	return fmt.Sprintf("Container %s: %s", status.Name, cmp.Or(runtimeWords(status.State.Waiting.Message), status.State.Waiting.Reason))
}

// imageNameInvalid: no time helps a name that no image can have.
func imageNameInvalid(seen Observation, _ time.Time) (Plan, bool) {
	if seen.Job == nil || seen.Pod == nil || testHasRun(seen) {
		return Plan{}, false
	}
	needed, _ := containersOf(seen)
	for _, status := range needed {
		if waiting := status.State.Waiting; waiting != nil && waiting.Reason == reasonInvalidImageName {
			end := Finished(v1alpha1.VerdictError, reasonOfWaiting(seen, waiting), wordsOfWaiting(status))
			return Plan{Stop: end, State: end}, true
		}
	}
	return Plan{}, false
}
