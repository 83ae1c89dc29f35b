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

// reasonInvalidImageName is the kubelet's reason for a name that no image can have.
const reasonInvalidImageName = "InvalidImageName"

// waitingReasons maps the kubelet's reasons for a waiting container to the API's. Reasons of an ordinary start, such as ContainerCreating,
// are not in it.
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

// waitingContainer returns the reason and message of the first container that is stuck; both are empty if none is. Containers that the test
// needs come first. Helpers come last, because they do not keep the test from starting.
func waitingContainer(seen Observation) (reason, message string) {
	needed, helpers := containersOf(seen)
	for _, status := range slices.Concat(needed, helpers) {
		waiting := status.State.Waiting
		if waiting != nil && waitingReasons[waiting.Reason] != "" {
			return reasonOfWaiting(seen, waiting), waitingMessage(status)
		}
	}
	return "", ""
}

// containersOf separates the containers that the test needs (the init containers and its own) from the helpers beside it.
func containersOf(seen Observation) (needed, helpers []corev1.ContainerStatus) {
	needed = slices.Clone(seen.Pod.Status.InitContainerStatuses)
	for _, status := range seen.Pod.Status.ContainerStatuses {
		if status.Name == seen.Record.Container {
			needed = append(needed, status)
		} else {
			helpers = append(helpers, status)
		}
	}
	return needed, helpers
}

// reasonOfWaiting tells the runner's image from the test's. The runner's image is a volume of the test's container, so only the kubelet's
// message says which image cannot be pulled: it quotes the name.
func reasonOfWaiting(seen Observation, waiting *corev1.ContainerStateWaiting) string {
	reason := waitingReasons[waiting.Reason]
	if reason == v1alpha1.ReasonImagePullFailed && seen.Runner.Image != "" && strings.Contains(waiting.Message, strconv.Quote(seen.Runner.Image)) {
		return v1alpha1.ReasonRunnerImagePullFailed
	}
	return reason
}

func waitingMessage(status corev1.ContainerStatus) string {
	return fmt.Sprintf("Container %s: %s", status.Name, cmp.Or(runtimeMessage(status.State.Waiting.Message), status.State.Waiting.Reason))
}

// imageNameInvalid does not wait for timeouts.start: an invalid name never becomes valid.
func imageNameInvalid(seen Observation, _ time.Time) (Plan, bool) {
	if seen.Job == nil || seen.Pod == nil || testHasRun(seen) {
		return Plan{}, false
	}
	needed, _ := containersOf(seen)
	for _, status := range needed {
		if waiting := status.State.Waiting; waiting != nil && waiting.Reason == reasonInvalidImageName {
			end := Finished(v1alpha1.VerdictError, reasonOfWaiting(seen, waiting), waitingMessage(status))
			return Plan{Stop: end, State: end}, true
		}
	}
	return Plan{}, false
}
