package lifecycle

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/results"
)

// executionErrors are words with which container runtimes say that the command itself cannot be executed: runc's, which are those of
// Go's library, and crun's. Neither has a code for it. test/e2e holds them against the real ones.
var executionErrors = []string{`exec: "`, "executable file"}

// causeOfStartError says why the container runtime could not start the test's container. With the runner in front of the command
// it is never the command's fault: the runner is there, and reports what it cannot execute.
func causeOfStartError(seen Observation, end *corev1.ContainerStateTerminated) *State {
	words := runtimeWords(end.Message)
	if seen.Record.Format == v1alpha1.ResultsNone {
		for _, known := range executionErrors {
			if strings.Contains(words, known) {
				return Finished(v1alpha1.VerdictError, v1alpha1.ReasonStartFailed, "The command could not be executed. "+words)
			}
		}
	}
	return Finished(v1alpha1.VerdictError, v1alpha1.ReasonRuntimeFailed, "The container runtime could not start the container. "+words)
}

// wrappers are what containerd and runc put around the cause of a failure.
var wrappers = []string{
	"rpc error: code = ", "failed to create containerd task: ", "failed to start containerd task ", "failed to create shim task: ",
	"OCI runtime create failed: ", "OCI runtime start failed: ", "runc create failed: ", "runc start failed: ",
	"unable to start container process: ", "error during container init: ",
}

// runtimeWords is what a container runtime says, as far as people can use it: without the report that the runner left, and without
// the names of the runtime's own parts.
func runtimeWords(message string) string {
	words, _ := results.Split(message)
	for unwrapped := true; unwrapped; {
		unwrapped = false
		for _, wrapper := range wrappers {
			if rest, ok := strings.CutPrefix(words, wrapper); ok {
				words, unwrapped = afterLabel(wrapper, rest), true
			}
		}
	}
	return strings.TrimSuffix(words, ": unknown")
}

// afterLabel drops the label that follows some wrappers: the code of an error, the name of a task.
func afterLabel(wrapper, rest string) string {
	switch wrapper {
	case "rpc error: code = ":
		_, described, found := strings.Cut(rest, " desc = ")
		if found {
			return described
		}
	case "failed to start containerd task ":
		_, cause, found := strings.Cut(rest, ": ")
		if found {
			return cause
		}
	}
	return rest
}
