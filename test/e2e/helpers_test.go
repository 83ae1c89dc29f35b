package e2e

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/builders"
	"github.com/testrun-dev/testrun/test/conditions"
)

// helped is a definition with another container beside the test. Its pod has six seconds of grace.
func helped(script, image string, command ...string) v1alpha1.TestSpec {
	spec := builders.TestSpec(script)
	pod := &spec.Template.Spec
	pod.TerminationGracePeriodSeconds = ptr.To[int64](6)
	pod.Containers = append(pod.Containers, corev1.Container{Name: "helper", Image: image, Command: command})
	return spec
}

func TestTheTestsOwnEndDecidesWhateverItsHelpersDo(t *testing.T) {
	sleeps := []string{"sleep", "600"}
	ignores := []string{"sh", "-c", "trap : TERM; while :; do sleep 1; done"}
	sidecar := builders.TestSpec("exit 3")
	sidecar.Template.Spec.InitContainers = []corev1.Container{{
		Name: "proxy", Image: builders.Image, Command: sleeps, RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways),
	}}
	sidecar.Template.Spec.TerminationGracePeriodSeconds = ptr.To[int64](6)
	tests := map[string]struct {
		spec    v1alpha1.TestSpec
		verdict v1alpha1.Verdict
		reason  string
		told    string // a reason with which the run was InProgress; none if empty
	}{
		"failed-runs":        {helped("exit 3", builders.Image, sleeps...), v1alpha1.VerdictFailed, v1alpha1.ReasonTestFailed, v1alpha1.ReasonHelpersRunning},
		"passed-runs":        {helped("exit 0", builders.Image, sleeps...), v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed, v1alpha1.ReasonHelpersRunning},
		"passed-ignores":     {helped("exit 0", builders.Image, ignores...), v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed, v1alpha1.ReasonHelpersRunning},
		"passed-by-itself":   {helped("exit 0", builders.Image, "sleep", "2"), v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed, ""},
		"passed-helper-dies": {helped("sleep 1", builders.Image, "false"), v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed, ""},
		"passed-no-image":    {helped("echo 1..1; echo ok 1", "nope:2", "true"), v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed, v1alpha1.ReasonHelpersNotStarted},
		"not-executed":       {helped("", builders.Image, sleeps...), v1alpha1.VerdictError, v1alpha1.ReasonStartFailed, v1alpha1.ReasonHelpersRunning},
		"failed-no-runner":   {byExitCode(helped("exit 3", builders.Image, sleeps...)), v1alpha1.VerdictFailed, v1alpha1.ReasonTestFailed, v1alpha1.ReasonHelpersRunning},
		"passed-no-runner":   {byExitCode(helped("exit 0", builders.Image, sleeps...)), v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed, v1alpha1.ReasonHelpersRunning},
		"failed-sidecar":     {sidecar, v1alpha1.VerdictFailed, v1alpha1.ReasonTestFailed, ""},
	}
	notExecuted := tests["not-executed"]
	notExecuted.spec.Template.Spec.Containers[0].Command = []string{"no-such-program"}
	w := newWorld(t)
	for name, test := range tests {
		w.Create(builders.TestRun(name).Running(test.spec).Once().Build())
	}
	for name, test := range tests {
		run := w.WaitForFinished(name, test.verdict, test.reason)
		if test.told != "" && !w.history.was(name, v1alpha1.PhaseInProgress, test.told) {
			t.Errorf("run %s was never InProgress with the reason %s", name, test.told)
		}
		if run.Status.Duration != nil && run.Status.Duration.Duration > 5*time.Second {
			t.Errorf("run %s took %s, want the time of its test alone", name, run.Status.Duration.Duration)
		}
		if test.reason == v1alpha1.ReasonStartFailed && (run.Status.StartTime != nil || run.Status.Duration != nil || exitCode(run) != -1) {
			t.Errorf("run %s has startTime %v, duration %v, exit code %d, want none: the test did not run", name, run.Status.StartTime, run.Status.Duration, exitCode(run))
		}
		w.WaitFor("no container of "+name+" runs", func() bool { return !w.hasLivePod(name) })
	}
}

func TestAHelperThatHasNoImageIsNamedWhileItIsWaitedFor(t *testing.T) {
	w := newWorld(t)
	w.Create(builders.TestRun("helped").Running(helped("echo 1..1; echo ok 1", "nope:2", "true")).Build())
	run := w.WaitForRun("helped", "InProgress with the reason HelpersNotStarted", func(run *v1alpha1.TestRun) bool {
		return conditions.Reason(run) == v1alpha1.ReasonHelpersNotStarted
	})
	for _, quote := range []string{"The test has ended with exit code 0, 1 of 1 cases passed", "Container helper: ", "nope:2"} {
		if !strings.Contains(conditions.Message(run), quote) {
			t.Errorf("the message is %q, want %q in it", conditions.Message(run), quote)
		}
	}
	w.WaitForPassed("helped")
}

func TestTimeoutsAndCancelDoNotChangeTheVerdictOfATestThatHasEnded(t *testing.T) {
	w := newWorld(t)
	spec := helped("exit 3", builders.Image, "sleep", "600")
	spec.Template.Spec.TerminationGracePeriodSeconds = ptr.To[int64](20)
	w.Create(builders.TestRun("late").Running(spec).RunTimeout(8 * time.Second).Build())
	w.Create(builders.TestRun("cancelled").Running(spec).Build())
	w.WaitForRun("cancelled", "waiting for its helper", func(run *v1alpha1.TestRun) bool {
		return conditions.Reason(run) == v1alpha1.ReasonHelpersRunning
	})
	w.Cancel("cancelled")
	w.WaitForFinished("cancelled", v1alpha1.VerdictFailed, v1alpha1.ReasonTestFailed, "exit code 3")
	w.WaitForFinished("late", v1alpha1.VerdictFailed, v1alpha1.ReasonTestFailed, "exit code 3")
}

func TestAChildThatIsKilledForItsMemoryIsSaidWhateverTheExitCode(t *testing.T) {
	// The child's memory is taken bit by bit, so that it and not the shell is the one to be killed.
	const greedy = `perl -e 'my @hoard; push @hoard, "x" x 1048576 while 1'; `
	w := newWorld(t)
	limited := func(script string) v1alpha1.TestSpec {
		spec := builders.TestSpec(script)
		spec.Template.Spec.Containers[0].Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("64Mi")}
		return spec
	}
	w.Create(builders.TestRun("hides-it").Running(limited(greedy + "exit 0")).Build())
	w.Create(builders.TestRun("no-runner").Running(byExitCode(limited(greedy + "exit 0"))).Build())
	w.Create(builders.TestRun("all-passed").Running(limited(greedy + "echo 1..1; echo ok 1")).Build())
	w.Create(builders.TestRun("one-failed").Running(limited(greedy + "echo 1..1; echo not ok 1")).Build())
	w.WaitForFinished("hides-it", v1alpha1.VerdictFailed, v1alpha1.ReasonOutOfMemory, "killed for its memory")
	w.WaitForFinished("no-runner", v1alpha1.VerdictFailed, v1alpha1.ReasonOutOfMemory, "killed for its memory")
	w.WaitForFinished("one-failed", v1alpha1.VerdictFailed, v1alpha1.ReasonOutOfMemory, "killed for its memory")
	w.WaitForFinished("all-passed", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed, "1 of 1 cases passed", "killed for its memory")
}

func TestARunWhoseReportCannotBeWrittenDoesNotPass(t *testing.T) {
	// Process 1 may write no file any more: its limit is set by prlimit64(2), call 302. A full disk does the same.
	const forbid = `my $none = pack("QQ", 0, 0); syscall(302, 1, 1, $none, 0) == 0 or die; $| = 1; `
	w := newWorld(t)
	w.Create(builders.TestRun("failed-case").Running(executing("perl", "-e", forbid+`print "not ok 1 - broken\n1..1\n"; sleep 2; exit 0`)).Build())
	w.Create(builders.TestRun("no-case").Running(executing("perl", "-e", forbid+`exit 0`)).Build())
	w.Create(builders.TestRun("own-code").Running(executing("perl", "-e", forbid+`exit 4`)).Build())
	for name, code := range map[string]int32{"failed-case": 121, "no-case": 121, "own-code": 4} {
		run := w.WaitForFinished(name, v1alpha1.VerdictFailed, v1alpha1.ReasonResultsIncomplete, "could not write its report")
		if exitCode(run) != code {
			t.Errorf("run %s has exit code %d, want %d", name, exitCode(run), code)
		}
		w.expectLogs(name, "the results cannot be reported")
	}
}
