package e2e

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/builders"
)

// perlSuite is a definition that runs the *.t files of the ConfigMap perl-suite.
func perlSuite() v1alpha1.TestSpec {
	return specWith(func(pod *corev1.PodSpec) {
		mounted(pod, "perl-suite", "/suite/t")
		pod.Containers[0].WorkingDir = "/suite"
		pod.Containers[0].Command = []string{"prove", "-v", "t/"}
	})
}

func TestAPerlSuiteThatPassesIsPassed(t *testing.T) {
	w := newWorld(t)
	w.Create(configMap("perl-suite", map[string]string{
		"sums.t":    "use Test::More tests => 2; is(1 + 1, 2, 'one and one'); is(2 * 3, 6, 'two by three');",
		"strings.t": "use Test::More; is(lc 'ABC', 'abc', 'lower case'); done_testing;",
	}))
	w.Create(builders.TestRun("green").Running(perlSuite()).Build())
	run := w.WaitForFinished("green", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
	pod := w.waitForPod("green")
	attempt := run.Status.Attempts[0]
	if exitCode(run) != 0 || attempt.Job != "green-1" || attempt.Pod != pod.Name || attempt.Node != pod.Spec.NodeName {
		t.Errorf("the attempt is %+v, want exit code 0, Job green-1, pod %s, node %s", attempt, pod.Name, pod.Spec.NodeName)
	}
	if run.Status.StartTime == nil || run.Status.FinishTime == nil || run.Status.Duration == nil {
		t.Errorf("startTime, finishTime and duration are %v, %v, %v; want all set", run.Status.StartTime, run.Status.FinishTime, run.Status.Duration)
	}
	w.expectLogs("green", "ok 1 - one and one", "ok 1 - lower case", "Files=2, Tests=3", "Result: PASS")
}

func TestAPerlSuiteThatFailsIsFailedAndSaysItsExitCode(t *testing.T) {
	w := newWorld(t)
	w.Create(configMap("perl-suite", map[string]string{"sums.t": "use Test::More tests => 2; is(1 + 1, 3, 'one and one'); ok(1, 'the rest');"}))
	w.Create(builders.TestRun("red").Running(perlSuite()).Build())
	run := w.WaitForFinished("red", v1alpha1.VerdictFailed, v1alpha1.ReasonTestFailed, "exit code 1")
	if exitCode(run) != 1 {
		t.Errorf("the exit code is %d, want 1", exitCode(run))
	}
	w.expectLogs("red", "not ok 1 - one and one", "Result: FAIL")
}

func TestAnExitCodeOtherThanZeroIsFailed(t *testing.T) {
	w := newWorld(t)
	w.Create(builders.TestRun("seven").Running(builders.TestSpec("echo before the end; exit 7")).Build())
	if run := w.WaitForFinished("seven", v1alpha1.VerdictFailed, v1alpha1.ReasonTestFailed, "exit code 7"); exitCode(run) != 7 {
		t.Errorf("the exit code is %d, want 7", exitCode(run))
	}
	w.expectLogs("seven", "before the end")
}

func TestParamsReachTheCommandTheArgsAndTheEnvironmentAsTheyAre(t *testing.T) {
	const price = `$5, $$6, $(TARGET), ${HOME} & "quotes"`
	w := newWorld(t)
	spec := executing("perl", "-e", `print join("\n", @ARGV, "price=$ENV{PRICE}", "depth=$ENV{DEPTH}", exists $ENV{UNSET} ? "set" : "unset"), "\n"`, "to $(TARGET)")
	spec.Template.Spec.Containers[0].Args = []string{"$(PRICE)", "$$(TARGET)", "$(TESTRUN_NAMESPACE)/$(TESTRUN_NAME)/$(TESTRUN_UID)/$(TESTRUN_ATTEMPT)"}
	spec.Params = []v1alpha1.ParamSpec{
		{Name: "TARGET", Required: ptr.To(true)}, {Name: "PRICE"}, {Name: "DEPTH", Default: ptr.To("deep"), Enum: []string{"deep", "flat"}}, {Name: "UNSET"},
	}
	test := builders.Test("shop", spec)
	w.Create(test)
	w.Create(builders.TestRun("params").Of("shop").Param("TARGET", "staging").Param("PRICE", price).Build())
	run := w.WaitForFinished("params", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
	want := strings.Join([]string{
		"to staging", price, "$(TARGET)", w.Namespace + "/params/" + string(run.UID) + "/1", "price=" + price, "depth=deep", "unset", "",
	}, "\n")
	if printed := w.logs("params"); printed != want {
		t.Errorf("the test was given\n%s\nwant\n%s", printed, want)
	}
	if generation := run.Status.TestGeneration; generation != 1 {
		t.Errorf("testGeneration is %d, want 1", generation)
	}
}

func TestATestThatExceedsItsMemoryIsFailedAndNotAnError(t *testing.T) {
	w := newWorld(t)
	spec := executing("perl", "-e", `my @hoard; push @hoard, "x" x 1048576 while 1`)
	spec.Template.Spec.Containers[0].Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("48Mi")}
	w.Create(builders.TestRun("greedy").Running(spec).Build())
	run := w.WaitForFinished("greedy", v1alpha1.VerdictFailed, v1alpha1.ReasonOutOfMemory, "memory limit")
	if exitCode(run) != 137 {
		t.Errorf("the exit code is %d, want 137", exitCode(run))
	}
}

func TestATestThatRunsTooLongIsTimedOutAndItsLogsStay(t *testing.T) {
	w := newWorld(t)
	w.Create(builders.TestRun("slow").Running(builders.TestSpec(forEver)).RunTimeout(4 * time.Second).Build())
	run := w.WaitForFinished("slow", v1alpha1.VerdictTimedOut, v1alpha1.ReasonRunTimeout, "4s")
	if exitCode(run) != 3 {
		t.Errorf("the exit code is %d, want 3: what the test itself ended with", exitCode(run))
	}
	w.expectLogs("slow", "begun", "told to stop")
}

func TestARunTimeoutThatIsOverBeforeTheTestRanIsAnErrorAndNotTimedOut(t *testing.T) {
	w := newWorld(t)
	w.Create(builders.TestRun("stuck").Running(withImage("registry.invalid/suite:1")).RunTimeout(9 * time.Second).Build())
	run := w.WaitForFinished("stuck", v1alpha1.VerdictError, v1alpha1.ReasonImagePullFailed, "registry.invalid/suite:1")
	if run.Status.StartTime != nil || exitCode(run) != -1 {
		t.Errorf("startTime is %v and the exit code %d, want none: the test never ran", run.Status.StartTime, exitCode(run))
	}
}

func TestTheNamedContainerIsTheTestWhateverTheOthersDo(t *testing.T) {
	w := newWorld(t)
	spec := builders.TestSpec("exit 1")
	second := spec.Template.Spec.Containers[0].DeepCopy()
	second.Name, second.Command = "checks", []string{"sh", "-c", "exit 0"}
	spec.Template.Spec.Containers = append(spec.Template.Spec.Containers, *second)
	spec.Container = "checks"
	w.Create(builders.TestRun("second").Running(spec).Build())
	w.WaitForPassed("second")
}

func TestARunIsDeletedWithItsJobAndPodWhenItsTTLIsOver(t *testing.T) {
	w := newWorld(t)
	w.Create(builders.TestRun("brief").TTL(2 * time.Second).Build())
	w.Create(builders.TestRun("kept").Build())
	w.WaitFor("run brief has finished", func() bool { return w.history.was("brief", v1alpha1.PhaseFinished, v1alpha1.ReasonTestPassed) })
	for kind, list := range map[string]func() int{
		"run": func() int { return strings.Count(w.mustKubectl("get", "testruns", "--output=name"), "/brief") },
		"Job": func() int { return strings.Count(w.mustKubectl("get", "jobs", "--output=name"), "/brief-1") },
		"pod": func() int { return len(w.pods("brief")) },
	} {
		w.WaitFor("the "+kind+" of brief is gone", func() bool { return list() == 0 })
	}
	w.WaitForPassed("kept")
	if len(w.pods("kept")) != 1 {
		t.Errorf("run kept has %d pods, want its one: it has no TTL", len(w.pods("kept")))
	}
}

func TestAServiceAccountTokenIsThereOnlyForATemplateThatNamesTheAccount(t *testing.T) {
	const script = `if test -e /var/run/secrets/kubernetes.io/serviceaccount/token; then echo a token; else echo no token; fi`
	w := newWorld(t)
	w.Create(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "tester"}})
	named := builders.TestSpec(script)
	named.Template.Spec.ServiceAccountName = "tester"
	asked := builders.TestSpec(script)
	asked.Template.Spec.AutomountServiceAccountToken = ptr.To(true)
	w.Create(builders.TestRun("plain").Running(builders.TestSpec(script)).Build())
	w.Create(builders.TestRun("asked").Running(asked).Build())
	w.Create(builders.TestRun("named").Running(named).Build())
	w.WaitForPassed("plain", "asked", "named")
	w.expectLogs("plain", "no token")
	w.expectLogs("asked", "no token")
	w.expectLogs("named", "a token")
}
