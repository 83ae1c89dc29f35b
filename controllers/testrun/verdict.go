package testrun

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// verdictOfExit turns the end of the test's container into a verdict. The pod has ended, and the test has run.
func verdictOfExit(seen observation) *state {
	end := testContainer(seen).Terminated
	switch {
	case end == nil, end.Reason == reasonContainerStatusUnknown:
		return forgotten(seen.pod)
	case end.ExitCode == 0:
		return finished(v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed, "The test ended with exit code 0")
	case end.Reason == reasonOOMKilled:
		return finished(v1alpha1.VerdictFailed, v1alpha1.ReasonOutOfMemory,
			fmt.Sprintf("The test exceeded its memory limit and was killed (exit code %d)", end.ExitCode))
	default:
		return finished(v1alpha1.VerdictFailed, v1alpha1.ReasonTestFailed, fmt.Sprintf("The test ended with exit code %d", end.ExitCode))
	}
}

// causeOfNotRunning says why a pod ended without having run the test.
func causeOfNotRunning(seen observation) *state {
	for _, status := range seen.pod.Status.InitContainerStatuses {
		if end := status.State.Terminated; end != nil && end.ExitCode != 0 {
			return finished(v1alpha1.VerdictError, v1alpha1.ReasonInitFailed,
				fmt.Sprintf("Init container %s ended with exit code %d", status.Name, end.ExitCode))
		}
	}
	switch end := testContainer(seen).Terminated; {
	case end == nil:
		return finished(v1alpha1.VerdictError, v1alpha1.ReasonPodRejected, fmt.Sprintf("The node did not run the pod. %s", podWords(seen.pod)))
	case end.Reason == reasonContainerStatusUnknown:
		return forgotten(seen.pod)
	default:
		return finished(v1alpha1.VerdictError, v1alpha1.ReasonStartFailed, fmt.Sprintf("The command could not be executed. %s", end.Message))
	}
}

func forgotten(pod *corev1.Pod) *state {
	return finished(v1alpha1.VerdictError, v1alpha1.ReasonPodLost, fmt.Sprintf("The node does not know how the test ended. %s", podWords(pod)))
}

// podWords is what Kubernetes says of the pod as a whole.
func podWords(pod *corev1.Pod) string {
	return strings.Trim(pod.Status.Reason+": "+pod.Status.Message, ": ")
}
