package lifecycle

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/results"
)

// besideATestThatEnded is a pod whose test has ended at t0, while its other containers are in those states. Its grace period is 20
// seconds.
func besideATestThatEnded(code int32, helpers ...corev1.ContainerStatus) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		exited(code, 0)(pod)
		pod.Status.Phase = corev1.PodRunning
		pod.Spec.TerminationGracePeriodSeconds = ptr.To[int64](20)
		pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, helpers...)
	}
}

func helperRuns(name string) corev1.ContainerStatus {
	return corev1.ContainerStatus{Name: name, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}
}

func helperWaits(name, reason, message string) corev1.ContainerStatus {
	waiting := &corev1.ContainerStateWaiting{Reason: reason, Message: message}
	return corev1.ContainerStatus{Name: name, State: corev1.ContainerState{Waiting: waiting}}
}

func helperEnded(name string) corev1.ContainerStatus {
	return corev1.ContainerStatus{Name: name, State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 9}}}
}

func withHelpersStopped(pod *corev1.Pod) {
	pod.Annotations = map[string]string{v1alpha1.AnnotationHelpersStopped: "true"}
	pod.Spec.ActiveDeadlineSeconds = ptr.To[int64](stopDeadline)
}

func sidecarRuns(pod *corev1.Pod) {
	pod.Status.InitContainerStatuses = []corev1.ContainerStatus{helperRuns("proxy")}
}

func sidecarEnded(pod *corev1.Pod) {
	pod.Status.InitContainerStatuses = []corev1.ContainerStatus{helperEnded("proxy")}
}

func TestHelpersAreWaitedForAndThenStopped(t *testing.T) {
	const ended = "The test has ended with exit code 3; "
	none := func(*corev1.Pod) {}
	tests := map[string]struct {
		helpers []corev1.ContainerStatus
		change  func(*corev1.Pod)
		run     []func(*v1alpha1.TestRun)
		now     time.Duration
		stops   bool
		says    string
		requeue time.Duration
	}{
		"one that ends soon is not worth telling":    {helpers: []corev1.ContainerStatus{helperRuns("helper")}, now: 4 * time.Second, requeue: time.Second},
		"one that runs on is told of":                {helpers: []corev1.ContainerStatus{helperRuns("helper")}, now: 5 * time.Second, says: "HelpersRunning: " + ended + "container helper still runs", requeue: 15 * time.Second},
		"one that runs on is stopped":                {helpers: []corev1.ContainerStatus{helperRuns("helper")}, now: 20 * time.Second, stops: true, says: "HelpersRunning: " + ended + "container helper still runs", requeue: time.Minute + 20*time.Second},
		"one is stopped once":                        {helpers: []corev1.ContainerStatus{helperRuns("helper")}, change: withHelpersStopped, now: 25 * time.Second, says: "HelpersRunning: " + ended + "container helper still runs", requeue: time.Minute + 15*time.Second},
		"one that cannot be stopped is given up":     {helpers: []corev1.ContainerStatus{helperRuns("helper")}, change: withHelpersStopped, now: 100 * time.Second, says: "TestFailed: The test ended with exit code 3"},
		"one whose image cannot be pulled is named":  {helpers: []corev1.ContainerStatus{helperWaits("helper", "ErrImagePull", "failed to pull image nope:2")}, now: 5 * time.Second, says: "HelpersNotStarted: " + ended + "Container helper: failed to pull image nope:2", requeue: 15 * time.Second},
		"one that has not started is named":          {helpers: []corev1.ContainerStatus{helperWaits("helper", "ContainerCreating", "")}, now: 5 * time.Second, says: "HelpersRunning: " + ended + "container helper has not started", requeue: 15 * time.Second},
		"one that has ended is not":                  {helpers: []corev1.ContainerStatus{helperEnded("a"), helperRuns("b")}, now: 5 * time.Second, says: "HelpersRunning: " + ended + "container b still runs", requeue: 15 * time.Second},
		"trouble comes first":                        {helpers: []corev1.ContainerStatus{helperRuns("a"), helperWaits("b", "ErrImagePull", "no")}, now: 5 * time.Second, says: "HelpersNotStarted: " + ended + "Container b: no; container a still runs", requeue: 15 * time.Second},
		"three of many are named":                    {helpers: []corev1.ContainerStatus{helperRuns("a"), helperRuns("b"), helperRuns("c"), helperRuns("d"), helperRuns("e")}, now: 5 * time.Second, says: "HelpersRunning: " + ended + "container a still runs; container b still runs; container c still runs; and 2 more", requeue: 15 * time.Second},
		"Kubernetes has time to stop a sidecar":      {change: sidecarRuns, now: 29 * time.Second, says: "HelpersRunning: " + ended + "its sidecars are stopped", requeue: time.Second},
		"a pod without any is waited for":            {now: 79 * time.Second, requeue: time.Second},
		"so is one whose sidecars have ended":        {change: sidecarEnded, now: 79 * time.Second, requeue: time.Second},
		"a pod whose end is never reported":          {now: 80 * time.Second, says: "TestFailed: The test ended with exit code 3"},
		"a run that is cancelled waits no longer":    {helpers: []corev1.ContainerStatus{helperRuns("helper")}, run: []func(*v1alpha1.TestRun){cancelled}, now: time.Second, stops: true, says: "HelpersRunning: " + ended + "container helper still runs", requeue: 99 * time.Second},
		"a pod that is being deleted is not stopped": {helpers: []corev1.ContainerStatus{helperRuns("helper")}, change: podDeletedAt(time.Second), now: 20 * time.Second, says: "HelpersRunning: " + ended + "container helper still runs", requeue: time.Minute + 20*time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			change := test.change
			if change == nil {
				change = none
			}
			seen := aRun(test.run...).withPod(besideATestThatEnded(3, test.helpers...), change)
			plan := Decide(seen.look(), t0.Add(test.now))
			said := ""
			if plan.State != nil {
				said = plan.State.Reason + ": " + plan.State.Message
			}
			if plan.StopHelpers != test.stops || plan.Stop != nil || said != test.says || plan.RequeueAfter != test.requeue {
				t.Errorf("it stops the helpers: %t, says %q, and looks again after %s; want %t, %q, %s",
					plan.StopHelpers, said, plan.RequeueAfter, test.stops, test.says, test.requeue)
			}
		})
	}
}

func TestTheTestsOwnEndDecidesWhateverEndedItsHelpers(t *testing.T) {
	const passed, failed = "Finished Passed TestPassed", "Finished Failed TestFailed"
	for how, end := range map[string]func(*corev1.Pod){
		"the helpers ended by themselves": func(pod *corev1.Pod) { pod.Status.Phase = corev1.PodFailed },
		"the operator stopped them":       func(pod *corev1.Pod) { deadlineExceeded(pod); withHelpersStopped(pod) },
		"timeouts.run stopped them":       func(pod *corev1.Pod) { deadlineExceeded(pod); acceptedAt(time.Minute - time.Hour)(pod) },
		"an eviction stopped them":        func(pod *corev1.Pod) { pod.Status.Phase = corev1.PodFailed; disruptedAt(time.Minute)(pod) },
		"a deletion stopped them":         func(pod *corev1.Pod) { pod.Status.Phase = corev1.PodFailed; podDeletedAt(time.Minute)(pod) },
	} {
		for name, test := range map[string]struct {
			code int32
			run  []func(*v1alpha1.TestRun)
			says string
		}{
			"it passed":                         {0, nil, passed},
			"it failed":                         {3, nil, failed},
			"it passed, and was cancelled":      {0, []func(*v1alpha1.TestRun){cancelled}, passed},
			"it passed, and there is no runner": {0, []func(*v1alpha1.TestRun){byExitCode}, passed},
		} {
			t.Run(how+"/"+name, func(t *testing.T) {
				seen := aRun(test.run...).withPod(besideATestThatEnded(test.code, helperEnded("helper")), end)
				plan := Decide(seen.look(), t0.Add(2*time.Hour))
				if got := words(plan.State); got != test.says {
					t.Errorf("it says %q, want %q", got, test.says)
				}
				status := NextStatus(seen.look(), plan, nil, t0.Add(2*time.Hour))
				if !status.FinishTime.Time.Equal(t0) {
					t.Errorf("it finished at %s, want %s: when the test ended", status.FinishTime, t0)
				}
			})
		}
	}
}

func TestWhileHelpersRunTheMessageSaysHowTheTestEnded(t *testing.T) {
	for name, test := range map[string]struct {
		message, says string
	}{
		"with cases":       {reported(cases(results.Passed, results.Passed)), "The test has ended with exit code 0, 2 of 2 cases passed; container helper still runs"},
		"not even started": {reported(notStarted), "The test could not be started; container helper still runs"},
	} {
		t.Run(name, func(t *testing.T) {
			seen := aRun().withPod(besideATestThatEnded(0, helperRuns("helper")), saying(test.message))
			if got := Decide(seen.look(), t0.Add(10*time.Second)).State; got.Message != test.says {
				t.Errorf("it says %q, want %q", got.Message, test.says)
			}
		})
	}
}

func TestAnotherAttemptBeginsBesideHelpersThatDoNotEndOnlyIfItMay(t *testing.T) {
	for unreachable, want := range map[v1alpha1.UnreachablePolicy]string{
		v1alpha1.UnreachableWait: "Finished Failed TestFailed", v1alpha1.UnreachableReplace: "InProgress  Retrying",
	} {
		seen := aRun(retrying(1, 0), func(run *v1alpha1.TestRun) { run.Spec.Retry.Unreachable = unreachable }).
			withPod(besideATestThatEnded(3, helperRuns("helper")), withHelpersStopped)
		if got := words(Decide(seen.look(), t0.Add(100*time.Second)).State); got != want {
			t.Errorf("%s: it says %q, want %q", unreachable, got, want)
		}
	}
}

func TestAnotherAttemptBeginsAfterAPodOfWhichNothingRuns(t *testing.T) {
	seen := aRun(retrying(1, 0)).withPod(besideATestThatEnded(3))
	if got := words(Decide(seen.look(), t0.Add(80*time.Second)).State); got != "InProgress  Retrying" {
		t.Errorf("it says %q", got)
	}
}

func TestAHelperThatDoesNotStartIsNamedWhileTheTestRuns(t *testing.T) {
	seen := aRun().withPod(running, besideTest("ErrImagePull", "failed to pull image nope:2"))
	early, late := Decide(seen.look(), t0.Add(time.Second)), Decide(seen.look(), t0.Add(10*time.Second))
	if words(early.State) != "InProgress  Running" || early.RequeueAfter != 4*time.Second {
		t.Errorf("at first it says %q, and looks again after %s", words(early.State), early.RequeueAfter)
	}
	if words(late.State) != "InProgress  ImagePullFailed" || !strings.Contains(late.State.Message, "failed to pull image nope:2") {
		t.Errorf("then it says %q: %s", words(late.State), late.State.Message)
	}
}
