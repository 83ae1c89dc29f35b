package lifecycle

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/results"
)

// executionErrors are parts of the messages with which container runtimes report that the command itself cannot be executed: runc's, which
// come from Go's library, and crun's. Neither gives a code for it. test/e2e compares these words with real messages.
var executionErrors = []string{`exec: "`, "executable file"}

// causeOfStartError says why the container runtime could not start the test's container. If the runner is in front of the command, the
// command is not the cause: the runner starts in any case, and reports a command that it cannot execute.
func causeOfStartError(seen Observation, end *corev1.ContainerStateTerminated) *State {
	words := runtimeMessage(end.Message)
	if seen.Record.Format == v1alpha1.ResultsNone {
		for _, known := range executionErrors {
			if strings.Contains(words, known) {
				return Finished(v1alpha1.VerdictError, v1alpha1.ReasonStartFailed, "The command could not be executed. "+words)
			}
		}
	}
	return Finished(v1alpha1.VerdictError, v1alpha1.ReasonRuntimeFailed, "The container runtime could not start the container. "+words)
}

// wrappers are what containerd and runc write before the cause of a failure.
var wrappers = []string{
	"rpc error: code = ", "failed to create containerd task: ", "failed to start containerd task ", "failed to create shim task: ",
	"OCI runtime create failed: ", "OCI runtime start failed: ", "runc create failed: ", "runc start failed: ",
	"unable to start container process: ", "error during container init: ",
}

// runtimeMessage is a container runtime's message, reduced to what people can use: without the runner's report, and without the names of
// the runtime's own parts.
func runtimeMessage(message string) string {
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
