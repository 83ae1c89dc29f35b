package lifecycle

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/results"
)

func startErrorSaying(message string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		exited(128, 0)(pod)
		end := pod.Status.ContainerStatuses[0].State.Terminated
		end.Reason, end.Message = reasonStartError, message
	}
}

func TestARuntimeThatFailsIsNotTheTestsFaultAndNoMessageHoldsInternals(t *testing.T) {
	const notThere = `failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: ` +
		`unable to start container process: error during container init: exec: "nope": executable file not found in $PATH: unknown`
	const timeout = "rpc error: code = DeadlineExceeded desc = context deadline exceeded"
	report := reported(cases(results.Passed, results.Failed))
	tests := map[string]struct {
		format  v1alpha1.ResultsFormat
		message string
		says    string
	}{
		"a command that is not there":         {"None", notThere, `StartFailed: The command could not be executed. exec: "nope": executable file not found in $PATH`},
		"the same by crun":                    {"None", "executable file `nope` not found in $PATH: No such file or directory", "StartFailed: The command could not be executed. executable file `nope` not found in $PATH: No such file or directory"},
		"the runner is always there":          {"", notThere, `RuntimeFailed: The container runtime could not start the container. exec: "nope": executable file not found in $PATH`},
		"a timeout":                           {"", timeout, "RuntimeFailed: The container runtime could not start the container. context deadline exceeded"},
		"a timeout, and no runner":            {"None", timeout, "RuntimeFailed: The container runtime could not start the container. context deadline exceeded"},
		"a timeout, and what the runner left": {"", timeout + ": " + report, "RuntimeFailed: The container runtime could not start the container. context deadline exceeded"},
		"a report that was cut":               {"", timeout + ": " + report[:30], "RuntimeFailed: The container runtime could not start the container. context deadline exceeded"},
		"a task that did not start":           {"", `failed to start containerd task "test": context canceled: unknown`, "RuntimeFailed: The container runtime could not start the container. context canceled"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, ran := range []bool{false, true} { // whether the kubelet had seen it run
				seen := aRun(once, reading(test.format), func(run *v1alpha1.TestRun) {
					if ran {
						hasRun(run)
					}
				}).withPod(startErrorSaying(test.message))
				end := Decide(seen.look(), t0).State
				if got := end.Reason + ": " + end.Message; got != test.says || end.Verdict != v1alpha1.VerdictError {
					t.Errorf("it is %s, %s, want %s", end.Verdict, got, test.says)
				}
			}
		})
	}
}

func TestARuntimeThatFailsIsTriedAgain(t *testing.T) {
	plan := Decide(aRun().withPod(startErrorSaying("context deadline exceeded")).look(), t0)
	if words(plan.AttemptEnd) != "Finished Error RuntimeFailed" {
		t.Errorf("the attempt ends as %q", words(plan.AttemptEnd))
	}
}

func TestWhatIsWaitedForIsToldWithoutInternals(t *testing.T) {
	seen := aRun().withPod(waits("RunContainerError", "rpc error: code = Unknown desc = context deadline exceeded: "+reported(cases(results.Passed))))
	if got := Decide(seen.look(), t0.Add(10*time.Second)).State.Message; got != "Container test: context deadline exceeded" {
		t.Errorf("it says %q", got)
	}
}

func TestACommandThatWasNotExecutedHasNoTimesAndNoExitCode(t *testing.T) {
	for name, run := range map[string]func(*v1alpha1.TestRun){"seen at its end": once, "seen while the runner ran": hasRun} {
		t.Run(name, func(t *testing.T) {
			seen := aRun(run).withPod(exited(127, 0), saying(reported(notStarted, noFormat)))
			seen.Run.Status.StartTime = firstStart(seen.Run.Status)
			plan := Decide(seen.look(), t0)
			status := NextStatus(seen.look(), plan, nil, t0)
			attempt := status.Attempts[0]
			if words(plan.State) != "Finished Error StartFailed" || !strings.Contains(plan.State.Message, "prova") {
				t.Errorf("it says %q: %s", words(plan.State), plan.State.Message)
			}
			if status.StartTime != nil || status.Duration != nil || attempt.StartTime != nil || attempt.ExitCode != nil || attempt.FinishTime == nil {
				t.Errorf("startTime %v, duration %v, attempt %+v", status.StartTime, status.Duration, attempt)
			}
		})
	}
}

// withRunner says that the runner is in front of the command, and has reported nothing.
func (s *scene) withRunner() *scene {
	s.record("format", v1alpha1.ResultsAuto)
	s.Pod.Status.ContainerStatuses[0].State.Terminated.Message = ""
	return s
}

func TestARunnerThatTheKernelRefusesIsNoFailureOfTheTest(t *testing.T) {
	for name, test := range map[string]struct {
		seen *scene
		says string
	}{
		"the runner has reported nothing":         {aRun().withPod(exited(255, 0)).withRunner(), "Finished Error StartFailed"},
		"a test without a runner ended with 255":  {aRun(byExitCode).withPod(exited(255, 0)), "Finished Failed TestFailed"},
		"a runner that broke off has another one": {aRun().withPod(exited(1, 0)).withRunner(), "Finished Failed ResultsIncomplete"},
	} {
		t.Run(name, func(t *testing.T) {
			plan := Decide(test.seen.look(), t0.Add(time.Second))
			if got := words(plan.State); got != test.says {
				t.Errorf("it says %q (%s), want %q", got, plan.State.Message, test.says)
			}
			if status := NextStatus(test.seen.look(), plan, nil, t0); plan.State.Reason == v1alpha1.ReasonStartFailed && status.StartTime != nil {
				t.Errorf("it started at %s, and yet it could not be started", status.StartTime)
			}
		})
	}
}
