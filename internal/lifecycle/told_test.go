package lifecycle

import (
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/results"
)

// toldToStop are the ways in which a test is stopped by something that happens to its pod, ten seconds after it began, and the state that
// follows.
var toldToStop = map[string]struct {
	job  func(*batchv1.Job)
	pod  func(*corev1.Pod)
	says string
}{
	"evicted":           {nil, disruptedAt(10 * time.Second), "Finished Error Disrupted"},
	"deleted":           {nil, podDeletedAt(10 * time.Second), "Finished Error PodDeleted"},
	"deleted, and gone": {nil, podTakenAwayAt(10 * time.Second), "Finished Error PodDeleted"},
	"suspended by hand": {suspended, podDeletedAt(10 * time.Second), "Finished Error Disrupted"},
	"taken by Kueue":    {heldByKueue, podDeletedAt(10 * time.Second), "Finished Error Disrupted"},
	"timeouts.run":      {nil, overDeadlineAt(10 * time.Second), "Finished TimedOut RunTimeout"},
}

func suspended(job *batchv1.Job) { job.Spec.Suspend = ptr.To(true) }

func heldByKueue(job *batchv1.Job) {
	suspended(job)
	job.Labels[v1alpha1.LabelKueueQueue] = "tests"
}

// overDeadlineAt says that the kubelet stopped the pod at its time limit. The run has one of ten seconds.
func overDeadlineAt(at time.Duration) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		deadlineExceeded(pod)
		acceptedAt(at - 10*time.Second)(pod)
	}
}

func withPreStop(pod *corev1.Pod) {
	pod.Spec.Containers = []corev1.Container{{Name: "test", Lifecycle: &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{}}}}
}

func TestWhatWasToldToStopHasNotFinishedWhateverItsExitCode(t *testing.T) {
	const own = "its own verdict"
	none := func(*corev1.Pod) {}
	tests := map[string]struct {
		format  v1alpha1.ResultsFormat
		ended   time.Duration
		message string
		hook    func(*corev1.Pod)
		is      string // its own verdict, or told to stop
	}{
		"the runner saw the signal":                        {"", 12 * time.Second, reported(noFormat, stoppedBy("SIGTERM")), none, ""},
		"the runner saw it, and was killed":                {"", 12 * time.Second, reported(noFormat, notFinal, stoppedBy("SIGTERM")), none, ""},
		"the runner saw it, and the node's clock is late":  {"", 8 * time.Second, reported(noFormat, stoppedBy("SIGTERM")), none, ""},
		"in the same second, and the runner saw it":        {"", 10 * time.Second, reported(noFormat, stoppedBy("SIGTERM")), none, ""},
		"in the same second, and the runner saw no signal": {"", 10 * time.Second, reported(noFormat), none, own},
		"in the same second, by a preStop hook":            {"", 10 * time.Second, reported(noFormat), withPreStop, ""},
		"in the same second, and the runner left nothing":  {"", 10 * time.Second, "", none, ""},
		"in the same second, and there is no runner":       {"None", 10 * time.Second, "", none, ""},
		"later, by a signal that the runner does not know": {"", 12 * time.Second, reported(noFormat), none, ""},
		"later, and there is no runner":                    {"None", 12 * time.Second, "", none, ""},
		"later, since it pushed what was left":             {"", 12 * time.Second, reported(noFormat, pushedAfter(9*time.Second)), none, own},
		"it was stopped, and pushed what was left":         {"", 12 * time.Second, reported(noFormat, pushedAfter(11*time.Second)), none, ""},
		"a push that took longer than any can":             {"", 2 * time.Minute, reported(noFormat, pushedAfter(9*time.Second)), none, ""},
		"it says that it ended after its container":        {"", 12 * time.Second, reported(noFormat, pushedAfter(13*time.Second)), none, ""},
		"its pushing runner was not done with its report":  {"", 12 * time.Second, reported(noFormat, notFinal, pushedAfter(9*time.Second)), none, ""},
	}
	for how, told := range toldToStop {
		for name, test := range tests {
			for _, code := range []int32{0, 3} {
				t.Run(how+"/"+name, func(t *testing.T) {
					seen := toldScene(test.format, told.job, exited(code, test.ended), saying(test.message), test.hook, told.pod)
					want := told.says
					if test.is == own {
						want = map[int32]string{0: "Finished Passed TestPassed", 3: "Finished Failed TestFailed"}[code]
					}
					if got := words(Decide(seen.look(), t0.Add(time.Minute)).State); got != want {
						t.Errorf("exit code %d: it says %q, want %q", code, got, want)
					}
				})
			}
		}
	}
}

func pushedAfter(ended time.Duration) func(*results.Report) {
	return func(report *results.Report) { report.Archive = &results.Archive{Ended: t0.Add(ended)} }
}

func TestARunnerThatIsKilledWhileItPushesDoesNotSayHowItsTestEnded(t *testing.T) {
	seen := toldScene("", nil, exited(exitKilled, 12*time.Second), saying(reported(noFormat, pushedAfter(9*time.Second))), overDeadlineAt(10*time.Second))
	if got := words(Decide(seen.look(), t0.Add(time.Minute)).State); got != "Finished TimedOut RunTimeout" {
		t.Errorf("it says %q", got)
	}
}

func toldScene(format v1alpha1.ResultsFormat, job func(*batchv1.Job), pod ...func(*corev1.Pod)) *scene {
	seen := aRun(once, reading(format), func(run *v1alpha1.TestRun) {
		run.Spec.Timeouts.Run = &v1alpha1.PositiveDuration{Duration: 10 * time.Second}
	}).withPod(pod...)
	if job != nil {
		job(seen.Job)
	}
	return seen
}

func TestATestThatEndedLongBeforeKeepsItsVerdict(t *testing.T) {
	for how, told := range toldToStop {
		if how == "timeouts.run" { // the kubelet ends no pod that has ended: see the helpers
			continue
		}
		for name, test := range map[string]struct {
			format  v1alpha1.ResultsFormat
			message string
		}{
			"with the runner":    {"", reported(noFormat)},
			"without the runner": {"None", ""},
		} {
			t.Run(how+"/"+name, func(t *testing.T) {
				seen := toldScene(test.format, told.job, exited(0, -time.Second), saying(test.message), told.pod)
				if got := words(Decide(seen.look(), t0.Add(time.Minute)).State); got != "Finished Passed TestPassed" {
					t.Errorf("it says %q", got)
				}
			})
		}
	}
	t.Run("a probe stopped it, and its pod was deleted long after", func(t *testing.T) {
		seen := toldScene("", nil, exited(0, -time.Second), saying(reported(noFormat, stoppedBy("SIGTERM"))), podDeletedAt(time.Minute))
		if got := words(Decide(seen.look(), t0.Add(time.Minute)).State); got != "Finished Error Stopped" {
			t.Errorf("it says %q", got)
		}
	})
}

func TestAnEvictedTestThatExitsWithZeroGetsAnotherAttempt(t *testing.T) {
	seen := aRun().withPod(exited(0, 12*time.Second), saying(reported(noFormat, stoppedBy("SIGTERM"))), disruptedAt(10*time.Second))
	plan := Decide(seen.look(), t0.Add(time.Minute))
	if got := words(plan.AttemptEnd); got != "Finished Error Disrupted" || words(plan.State) != "InProgress  Retrying" {
		t.Errorf("the attempt ends as %q, and the run is %q", got, words(plan.State))
	}
}

func TestASuspendedJobIsMarkedSoThatNobodyResumesIt(t *testing.T) {
	seen := toldScene("", suspended, exited(0, 12*time.Second), podDeletedAt(10*time.Second))
	if plan := Decide(seen.look(), t0.Add(time.Minute)); plan.Stop == nil {
		t.Error("it is not")
	}
}

func TestATimeLimitThatSomebodyLoweredIsNotTakenForTheRuns(t *testing.T) {
	seen := toldScene("None", nil, exited(0, 3*time.Second), overDeadlineAt(10*time.Second), func(pod *corev1.Pod) {
		pod.Spec.ActiveDeadlineSeconds = ptr.To[int64](1)
	})
	if got := words(Decide(seen.look(), t0.Add(time.Minute)).State); got != "Finished TimedOut RunTimeout" {
		t.Errorf("it says %q", got)
	}
}
