package e2e

import (
	"fmt"
	"slices"
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

// toolsImage has prove, go test and pytest; the Makefile makes it.
const toolsImage = "testrun.invalid/test-tools:dev"

// suite is a definition that runs a test tool on the files of the ConfigMap suite.
func suite(format v1alpha1.ResultsFormat, command ...string) v1alpha1.TestSpec {
	spec := specWith(func(pod *corev1.PodSpec) {
		mounted(pod, "suite", "/suite")
		pod.Containers[0].Image = toolsImage
		pod.Containers[0].WorkingDir = "/suite"
		pod.Containers[0].Command = command
	})
	spec.Results.Format = format
	return spec
}

// counts are PASSED/FAILED/ERRORED/SKIPPED of a run.
func counts(run *v1alpha1.TestRun) string {
	r := run.Status.Results
	return fmt.Sprintf("%d/%d/%d/%d", r.Passed, r.Failed, r.Errored, r.Skipped)
}

// hasCases checks the counts of a run, and that its cases begin with those wanted, each as OUTCOME SUITE NAME, and what its
// message is to quote, if it is to, after a colon.
func hasCases(t *testing.T, run *v1alpha1.TestRun, wantCounts string, want ...string) {
	t.Helper()
	if got := counts(run); got != wantCounts {
		t.Errorf("%s: %s passed/failed/errored/skipped, want %s", run.Name, got, wantCounts)
	}
	var got []string
	for _, c := range run.Status.Results.Cases {
		got = append(got, strings.Join(strings.Fields(fmt.Sprint(c.Outcome, " ", c.Suite, " ", c.Name)), " ")+": "+c.Message)
	}
	for i, line := range want {
		name, quote, _ := strings.Cut(line, ": ")
		if i >= len(got) || !strings.HasPrefix(got[i], name+": ") || !strings.Contains(got[i], quote) {
			t.Errorf("%s: case %d is not %q in\n%s", run.Name, i, line, strings.Join(got, "\n"))
		}
	}
}

func TestProveOnTheNode(t *testing.T) {
	w := newWorld(t)
	w.Create(configMap("suite", map[string]string{
		"pass.t": "use Test::More tests => 2; ok 1, 'one'; ok 1, 'two';",
		"fail.t": "use Test::More tests => 2; ok 1, 'fine'; is 6 * 7, 41, 'the answer';",
		"skip.t": "use Test::More tests => 2; SKIP: { skip 'no network', 1; fail } ok 1, 'offline';",
		"none.t": "use Test::More skip_all => 'not on Mondays';",
		"todo.t": "use Test::More tests => 1; TODO: { local $TODO = 'not yet'; ok 0, 'flies' }",
		"subs.t": "use Test::More; subtest outer => sub { ok 1, 'inner'; is 'a', 'b', 'other' }; done_testing;",
		"dies.t": "use Test::More tests => 5; ok 1, 'begun'; die 'the disk is full';",
		"last.t": "use Test::More tests => 1; ok 1, 'last';",
	}))
	w.Create(configMap("suite-that-bails", map[string]string{
		"a.t": "use Test::More tests => 2; ok 1, 'reached'; BAIL_OUT('no database');",
		"b.t": "use Test::More tests => 1; ok 1, 'not reached';",
	}))
	w.Create(builders.TestRun("perl").Running(suite("", "prove", "-v", ".")).Build())
	bails := suite("TAP", "prove", "-v", ".")
	bails.Template.Spec.Volumes[0].ConfigMap.Name = "suite-that-bails"
	w.Create(builders.TestRun("bails").Running(bails).Build())
	w.Create(builders.TestRun("quiet").Running(suite("TAP", "perl", "-e", "print qq(hello\\n)")).Build())

	run := w.WaitForFinished("perl", v1alpha1.VerdictFailed, v1alpha1.ReasonTestFailed, "dies.t", "planned 5")
	hasCases(t, run, "6/2/1/3",
		"Errored ./dies.t: the disk is full at ./dies.t line 1",
		"Failed ./fail.t the answer: expected: '41'",
		"Failed ./subs.t outer: other",
		"Skipped ./none.t: not on Mondays",
		"Skipped ./skip.t test 1: no network", "Skipped ./todo.t flies: TODO: not yet")
	hasCases(t, w.WaitForFinished("bails", v1alpha1.VerdictFailed, v1alpha1.ReasonBailedOut, "no database"), "1/0/0/0", "Passed ./a.t reached")
	w.WaitForFinished("quiet", v1alpha1.VerdictError, v1alpha1.ReasonNoResults, "exit code 0")
	expectOutput(t, "kubectl describe", w.mustKubectl("describe", "testrun", "perl"), `Name: +the answer`, `expected: '41'`, `Summary: +6/12`)
	expectOutput(t, "kubectl get", w.mustKubectl("get", "testrun", "perl"), `^perl +Finished +Failed +6/12 +TestFailed`)
}

func TestGoTestOnTheNode(t *testing.T) {
	w := newWorld(t)
	w.Create(configMap("suite", map[string]string{
		"go.mod": "module example.com/shop\n\ngo 1.19\n",
		"shop_test.go": `package shop

import "testing"

func TestSum(t *testing.T)  { t.Run("small", func(t *testing.T) {}); t.Run("big", func(t *testing.T) { t.Error("got 41, want 42") }) }
func TestSkip(t *testing.T) { t.Skip("not here") }
func TestLast(t *testing.T) {}
`,
	}))
	spec := suite("", "go", "test", "-json", "./...")
	spec.Template.Spec.Containers[0].Env = []corev1.EnvVar{
		{Name: "HOME", Value: "/tmp"}, {Name: "CGO_ENABLED", Value: "0"}, {Name: "PATH", Value: "/usr/lib/go/bin:/usr/bin"},
	}
	w.Create(builders.TestRun("go").Running(spec).Build())
	panics := *spec.DeepCopy()
	panics.Results.Format = v1alpha1.ResultsGoTest
	panics.Template.Spec.Containers[0].Command = []string{"sh", "-c", `mkdir /tmp/shop; cp *.go go.mod /tmp/shop; cd /tmp/shop; echo 'package shop; import "testing"; func TestPanics(*testing.T) { panic("boom") }' > panic_test.go; exec go test -json`}
	w.Create(builders.TestRun("panics").Running(panics).Build())
	broken := *panics.DeepCopy()
	broken.Template.Spec.Containers[0].Command = []string{"sh", "-c", `mkdir /tmp/shop; cp *.go go.mod /tmp/shop; cd /tmp/shop; echo 'package shop; var answer int = "x"' > bad.go; exec go test -json`}
	w.Create(builders.TestRun("broken").Running(broken).Build())

	hasCases(t, w.WaitForFinished("go", v1alpha1.VerdictFailed, v1alpha1.ReasonTestFailed, "2 of 5 cases failed", "exit code 1"), "2/2/0/1",
		"Failed example.com/shop TestSum/big: got 41, want 42", "Failed example.com/shop TestSum", "Skipped example.com/shop TestSkip: not here")
	run := w.WaitForFinished("panics", v1alpha1.VerdictFailed, v1alpha1.ReasonTestFailed)
	if cases := run.Status.Results.Cases; !slices.ContainsFunc(cases, func(c v1alpha1.Case) bool { return c.Name == "TestPanics" && strings.Contains(c.Message, "boom") }) {
		t.Errorf("no case tells of the panic: %+v", cases)
	}
	hasCases(t, w.WaitForFinished("broken", v1alpha1.VerdictFailed, v1alpha1.ReasonTestFailed), "0/0/1/0", "Errored example.com/shop: build failed: ./bad.go:1")
}

func TestPytestOnTheNode(t *testing.T) {
	w := newWorld(t)
	w.Create(configMap("suite", map[string]string{"test_shop.py": `
import pytest

def test_sum(): assert 1 + 1 == 2
def test_answer(): assert 6 * 7 == 41, "the answer is wrong"
@pytest.mark.skip(reason="no network")
def test_online(): pass
@pytest.mark.xfail(reason="not yet")
def test_flies(): assert False
@pytest.fixture
def database(): raise RuntimeError("no database")
def test_stored(database): pass
`}))
	pytest := []string{"python3", "-m", "pytest", "-p", "no:cacheprovider", "--junitxml=$(TESTRUN_RESULTS)/sub/pytest.xml"}
	w.Create(builders.TestRun("pytest").Running(suite("JUnit", pytest...)).Build())
	elsewhere := suite("JUnit", pytest...)
	elsewhere.Results.Path = "pytest.xml"
	w.Create(builders.TestRun("elsewhere").Running(elsewhere).Build())
	cut := suite("", "sh", "-c", strings.Join(pytest, " ")+`; f=$TESTRUN_RESULTS/sub/pytest.xml; head -c 600 $f > $f.part; mv $f.part $f`)
	w.Create(builders.TestRun("cut").Running(cut).Build())

	hasCases(t, w.WaitForFinished("pytest", v1alpha1.VerdictFailed, v1alpha1.ReasonTestFailed, "2 of 5 cases failed", "exit code 1"), "1/1/1/2",
		"Failed test_shop test_answer: the answer is wrong", "Errored test_shop test_stored: no database",
		"Skipped test_shop test_online: no network", "Skipped test_shop test_flies: not yet")
	w.WaitForFinished("elsewhere", v1alpha1.VerdictError, v1alpha1.ReasonNoResults, "$TESTRUN_RESULTS")
	w.WaitForFinished("cut", v1alpha1.VerdictFailed, v1alpha1.ReasonResultsIncomplete, "pytest.xml")
}

// Nothing says that these tests speak TAP, and all of them end with exit code 0.
func TestExitCode0HidesNoTAPOnTheNode(t *testing.T) {
	w := newWorld(t)
	tests := map[string]struct {
		script        string
		verdict       v1alpha1.Verdict
		reason, quote string
	}{
		"plan-alone": {`echo 1..3`, v1alpha1.VerdictFailed, v1alpha1.ReasonPlanNotReached, "planned 3 cases, ran 0"},
		"no-numbers": {`echo 1..2; echo ok; echo not ok`, v1alpha1.VerdictFailed, v1alpha1.ReasonCasesFailed, "1 of 2 cases failed: test 2"},
		"colors":     {`printf '1..1\n\033[31mnot ok 1 - red\033[0m\n'`, v1alpha1.VerdictFailed, v1alpha1.ReasonCasesFailed, "1 of 1 cases failed: red"},
		"no-tap":     {`echo ok 1 record was written`, v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed, "exit code 0"},
	}
	for name, test := range tests {
		w.Create(builders.TestRun(name).Running(builders.TestSpec(test.script)).Build())
	}
	for name, test := range tests {
		w.WaitForFinished(name, test.verdict, test.reason, test.quote)
	}
}

func TestFlakyCasesAndBrokenFilesOnTheNode(t *testing.T) {
	const attempts = `<testcase name="opens"><failure message="stuck"/></testcase><testcase name="opens"/><testcase name="closes"/>`
	w := newWorld(t)
	for name, script := range map[string]string{
		"flaky": `echo '<testsuite name="till" file="till_test.js">` + attempts + `</testsuite>' > $TESTRUN_RESULTS/a.xml`,
		"both":  `echo '<testsuite><testcase name="a"/></testsuite>' > $TESTRUN_RESULTS/a.xml; echo 1..2; echo ok 1; echo not ok 2 - b`,
		"zeros": `echo '<testsuite><testcase name="a"/></testsuite>' > $TESTRUN_RESULTS/a.xml; head -c 4096 /dev/zero > $TESTRUN_RESULTS/b.xml`,
	} {
		w.Create(builders.TestRun(name).Running(builders.TestSpec(script)).Build())
	}
	run := w.WaitForFinished("flaky", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed, "2 of 2 cases passed, 1 flaky: till: opens")
	if shown := run.Status.Results.Cases; run.Status.Results.Flaky != 1 || run.Status.Flaky != nil || len(shown) != 2 ||
		!ptr.Deref(shown[0].Flaky, false) || shown[0].Message != "stuck" || shown[0].Location != "till_test.js" {
		t.Errorf("it shows %+v", run.Status.Results)
	}
	w.WaitForFinished("both", v1alpha1.VerdictFailed, v1alpha1.ReasonCasesFailed, "1 of 1 cases passed; also 1 of 2 TAP cases failed: b")
	hasCases(t, w.WaitForFinished("zeros", v1alpha1.VerdictFailed, v1alpha1.ReasonResultsIncomplete, "b.xml is no XML"), "1/0/0/0", "Passed a")
}

// Each of these tests behaves as tests should not; its log and its verdict are right all the same.
func TestTestsThatMisbehaveOnTheNode(t *testing.T) {
	const tap = "echo 1..2; echo ok 1 - a; echo not ok 2 - b; "
	w := newWorld(t)
	for name, script := range map[string]string{
		"forks":        tap + `sleep 600 & setsid sleep 600 & exit 1`,
		"closes":       tap + `exec >&- 2>&-; sleep 1; exit 1`,
		"long-line":    tap + `head -c 10000000 /dev/zero | tr '\0' x; echo; exit 1`,
		"binary":       tap + `printf '\377\376\000\033[31mred\033[0m\n'; exit 1`,
		"still-writes": tap + `(while :; do echo '# busy'; sleep 0.01; done) & exit 1`,
	} {
		w.Create(builders.TestRun(name).Running(builders.TestSpec(script)).Build())
	}
	for _, name := range []string{"forks", "closes", "long-line", "binary", "still-writes"} {
		hasCases(t, w.WaitForFinished(name, v1alpha1.VerdictFailed, v1alpha1.ReasonTestFailed, "1 of 2 cases failed", "exit code 1"), "1/1/0/0", "Failed b")
		w.expectLogs(name, "1..2\nok 1 - a\nnot ok 2 - b\n")
	}
	w.expectLogs("long-line", strings.Repeat("x", 10_000_000))
	w.expectLogs("binary", "\xff\xfe\x00\x1b[31mred\x1b[0m\n")
}

func TestATestThatIsStoppedShowsWhatItHadReported(t *testing.T) {
	w := newWorld(t)
	stubborn := builders.TestSpec(`trap '' TERM; echo 1..3; echo ok 1 - a; echo not ok 2 - b; while :; do sleep 0.2; done`)
	stubborn.Template.Spec.TerminationGracePeriodSeconds = ptr.To[int64](2)
	w.Create(builders.TestRun("slow").Running(stubborn).RunTimeout(4 * time.Second).Build())
	greedy := builders.TestSpec(`echo 1..3; echo ok 1 - a; echo not ok 2 - b; exec perl -e 'sleep 2; my @hoard; push @hoard, "x" x 1048576 while 1'`)
	greedy.Template.Spec.Containers[0].Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("48Mi")}
	w.Create(builders.TestRun("greedy").Running(greedy).Build())

	run := w.WaitForFinished("slow", v1alpha1.VerdictTimedOut, v1alpha1.ReasonRunTimeout)
	hasCases(t, run, "1/1/0/0", "Failed b")
	if exitCode(run) != 137 {
		t.Errorf("the exit code is %d, want 137: it was killed", exitCode(run))
	}
	hasCases(t, w.WaitForFinished("greedy", v1alpha1.VerdictFailed, v1alpha1.ReasonOutOfMemory), "1/1/0/0", "Failed b")
}

// A container without a command runs what its image says, or its args: nobody but the node knows.
func TestAContainerWithoutACommandRunsAsItIs(t *testing.T) {
	w := newWorld(t)
	spec := specWith(func(pod *corev1.PodSpec) {
		pod.Containers[0].Command = nil
		pod.Containers[0].Args = []string{"sh", "-c", "echo 1..1; echo not ok 1; test ! -e /testrun"}
	})
	w.Create(builders.TestRun("as-it-is").Running(spec).Build())
	if run := w.WaitForFinished("as-it-is", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed); run.Status.Results.Total != 0 {
		t.Errorf("its results are %+v, want none", run.Status.Results)
	}
}

// restrictedTest is one that a namespace with the strictest Pod Security Standard takes.
func restrictedTest() v1alpha1.TestSpec {
	spec := builders.TestSpec(`echo '<testsuite><testcase name="a"/></testsuite>' > $TESTRUN_RESULTS/a.xml`)
	spec.Results.Format = v1alpha1.ResultsJUnit
	spec.Template.Spec.Volumes = []corev1.Volume{{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
	spec.Template.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "tmp", MountPath: "/tmp"}}
	spec.Template.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{
		RunAsNonRoot: ptr.To(true), RunAsUser: ptr.To[int64](65534), AllowPrivilegeEscalation: ptr.To(false), ReadOnlyRootFilesystem: ptr.To(true),
		Capabilities:   &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
	return spec
}

func TestResultsNeedNoRightsInTheTestsPod(t *testing.T) {
	w := newWorld(t, "pod-security.kubernetes.io/enforce", "restricted")
	w.Create(builders.TestRun("restricted").Running(restrictedTest()).Build())
	readOnly := restrictedTest()
	readOnly.Template.Spec.Containers[0].VolumeMounts = nil
	w.Create(builders.TestRun("read-only").Running(readOnly).Build())
	hasCases(t, w.WaitForFinished("restricted", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed), "1/0/0/0")
	w.WaitForFinished("read-only", v1alpha1.VerdictError, v1alpha1.ReasonStartFailed, "read-only file system", "mount an empty volume at /tmp")
}

func TestTheRunnerFromAnInitContainerAndResultsThatComeWhileNoOperatorRuns(t *testing.T) {
	m := withoutOperator(t)
	kill := m.start(t, "--runner-mount=init-container")
	w := newSerialWorld(t, "pod-security.kubernetes.io/enforce", "restricted")
	w.Create(builders.TestRun("restricted").Running(restrictedTest()).Build())
	hasCases(t, w.WaitForFinished("restricted", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed), "1/0/0/0")
	if init := w.waitForPod("restricted").Spec.InitContainers; len(init) != 1 {
		t.Errorf("%d init containers, want the one that brings the runner", len(init))
	}

	w = newSerialWorld(t)
	w.Create(builders.TestRun("left-alone").Running(builders.TestSpec(`sleep 3; echo 1..1; echo not ok 1 - a; exit 1`)).Build())
	w.Create(builders.TestRun("not-there").Running(executing("no-such-program")).Build())
	w.WaitForFinished("not-there", v1alpha1.VerdictError, v1alpha1.ReasonStartFailed, "no-such-program", "not found")
	w.WaitForInProgress("left-alone")
	kill()
	w.WaitFor("the pod has ended", func() bool { return w.waitForPod("left-alone").Status.Phase == corev1.PodFailed })
	if run := w.Run("left-alone"); run.Status.Phase == v1alpha1.PhaseFinished {
		t.Fatalf("it finished before the operator was gone: %s", conditions.Message(run))
	}
	m.start(t, "--runner-mount=init-container")
	hasCases(t, w.WaitForFinished("left-alone", v1alpha1.VerdictFailed, v1alpha1.ReasonTestFailed), "0/1/0/0", "Failed a")
}
