package e2e

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/builders"
)

// expectSecondAttempt checks that the run passed at its second attempt, after one that ended so.
func (w *world) expectSecondAttempt(name, firstReason string, flaky bool) {
	w.T.Helper()
	run := w.WaitForFinished(name, v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed, "attempt 2")
	attempts := run.Status.Attempts
	if len(attempts) != 2 || attempts[0].Reason != firstReason || attempts[1].Job != name+"-2" || ptr.Deref(run.Status.Flaky, false) != flaky {
		w.T.Fatalf("flaky is %v, the attempts are %+v", run.Status.Flaky, attempts)
	}
	if begun := attempts[1].CreateTime.Time; begun.Before(attempts[0].FinishTime.Time) {
		w.T.Errorf("the second attempt began at %s, before the first had ended at %s", begun, attempts[0].FinishTime)
	}
	if jobs := w.history.jobsOf(name); jobs != 2 {
		w.T.Errorf("%d Jobs, want 2", jobs)
	}
}

func TestATestThatFailsAtItsFirstAttemptAndPassesAtItsSecondIsFlaky(t *testing.T) {
	w := newWorld(t)
	w.Create(builders.TestRun("flaky").Running(builders.TestSpec(`echo 1..1; test $TESTRUN_ATTEMPT = 2 || printf 'not '; echo ok 1`)).Retry(1, 0).Build())
	w.expectSecondAttempt("flaky", v1alpha1.ReasonCasesFailed, true)
	if cases := w.Run("flaky").Status.Attempts[0].Summary; cases != "0/1" {
		t.Errorf("the first attempt had %q cases", cases)
	}
}

func TestATestThatTimesOutIsTriedAgainIfItsFailuresAre(t *testing.T) {
	w := newWorld(t)
	spec := builders.TestSpec(`test $TESTRUN_ATTEMPT = 2 || sleep 600`)
	w.Create(builders.TestRun("slow").Running(spec).RunTimeout(10*time.Second).Retry(1, 0).Build())
	w.expectSecondAttempt("slow", v1alpha1.ReasonRunTimeout, true)
}

func TestAnEvictedTestIsTriedAgainAndIsNotFlaky(t *testing.T) {
	w := newWorld(t)
	w.Create(builders.TestRun("evicted").Running(builders.TestSpec(`test $TESTRUN_ATTEMPT = 2 || sleep 600`)).Retry(0, 1).Build())
	w.WaitForInProgress("evicted")
	w.Must(w.Client.SubResource("eviction").Create(w.Ctx, w.waitForPod("evicted"), &policyv1.Eviction{}))
	w.expectSecondAttempt("evicted", v1alpha1.ReasonDisrupted, false)
}

// What a script can bring about, each at the first attempt only.
func TestEachWayToFailIsPaidFromFailure(t *testing.T) {
	const first = "test $TESTRUN_ATTEMPT = 2 || "
	greedy := builders.TestSpec(first + `exec perl -e 'my @hoard; push @hoard, "x" x 1048576 while 1'`)
	greedy.Template.Spec.Containers[0].Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("48Mi")}
	causes := map[string]struct {
		spec         v1alpha1.TestSpec
		reason, says string
	}{
		"exits":       {builders.TestSpec(first + "exit 3"), v1alpha1.ReasonTestFailed, "exit code 3"},
		"case-passed": {builders.TestSpec("echo 1..1; echo ok 1; " + first + "exit 1"), v1alpha1.ReasonCasesPassed, "yet the test ended with exit code 1"},
		"bails":       {builders.TestSpec("echo 1..1; echo ok 1; " + first + "echo 'Bail out! no database'"), v1alpha1.ReasonBailedOut, "no database"},
		"ends-early":  {builders.TestSpec("echo 1..2; echo ok 1; " + first + "exit 0; echo ok 2"), v1alpha1.ReasonPlanNotReached, "planned 2"},
		"is-cut":      {builders.TestSpec(first + "echo '<testsuite><testcase name=\"a\"/>' > $TESTRUN_RESULTS/a.xml"), v1alpha1.ReasonResultsIncomplete, "a.xml"},
		"greedy":      {greedy, v1alpha1.ReasonOutOfMemory, "memory limit"},
	}
	w := newWorld(t)
	for name, cause := range causes {
		w.Create(builders.TestRun(name).Running(cause.spec).Retry(1, 0).Build())
	}
	for name, cause := range causes {
		w.expectSecondAttempt(name, cause.reason, true)
		expectOutput(t, "kubectl events", w.mustKubectl("events", "--for=testrun/"+name), "Attempt 1 ended as .*"+cause.reason+".*"+cause.says)
	}
}

func TestAPodThatItsNodeRejectsIsPaidFromDisruption(t *testing.T) {
	w := newWorld(t)
	w.Create(builders.TestRun("beside").Build())
	w.WaitForPassed("beside")
	spec := specWith(func(pod *corev1.PodSpec) {
		pod.NodeName = w.waitForPod("beside").Spec.NodeName // no scheduler sees to it that there is room
		pod.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1000")}
	})
	w.Create(builders.TestRun("rejected").Running(spec).Retry(0, 1).Build())
	run := w.WaitForFinished("rejected", v1alpha1.VerdictError, v1alpha1.ReasonPodRejected, "OutOfcpu", "attempt 2")
	if len(run.Status.Attempts) != 2 {
		t.Errorf("the attempts are %+v, want two", run.Status.Attempts)
	}
}

func TestFailuresAreTriedAgainAsOftenAsTheTestSays(t *testing.T) {
	w := newWorld(t)
	test := builders.Test("suite", builders.TestSpec("exit 3"))
	test.Spec.Retry = builders.TestRun("").Retry(2, 0).Spec.Retry
	w.Create(test)
	w.Create(builders.TestRun("red").Of("suite").Build())
	run := w.WaitForFinished("red", v1alpha1.VerdictFailed, v1alpha1.ReasonTestFailed, "exit code 3", "attempt 3")
	if len(run.Status.Attempts) != 3 || run.Status.Flaky != nil {
		t.Errorf("flaky is %v, the attempts are %+v", run.Status.Flaky, run.Status.Attempts)
	}
}

func TestATestThatLacksWhatItNeedsIsTriedAgainAndIsNotFlaky(t *testing.T) {
	w := newWorld(t)
	run := builders.TestRun("lacking").Running(builders.TestSpec(`test $TESTRUN_ATTEMPT = 2 || exit 75`)).Retry(0, 1).Build()
	run.Spec.Retry.ExitCodes.Infrastructure = []int32{75}
	w.Create(run)
	w.expectSecondAttempt("lacking", v1alpha1.ReasonInfrastructureFailed, false)
}

func TestAPermanentExitCodeEndsTheRun(t *testing.T) {
	w := newWorld(t)
	run := builders.TestRun("hopeless").Running(builders.TestSpec("exit 2")).Retry(5, 0).Build()
	run.Spec.Retry.ExitCodes.Permanent = []int32{2}
	w.Create(run)
	if run = w.WaitForFinished("hopeless", v1alpha1.VerdictFailed, v1alpha1.ReasonTestFailed, "exit code 2"); len(run.Status.Attempts) != 1 {
		t.Errorf("the attempts are %+v, want one", run.Status.Attempts)
	}
}

func TestTheOnlyAttemptGivesTheRunItsReason(t *testing.T) {
	w := newWorld(t)
	quiet := builders.TestSpec("exit 0")
	quiet.Results.Format = v1alpha1.ResultsTAP
	for name, spec := range map[string]v1alpha1.TestSpec{
		"lacking": builders.TestSpec("exit 75"), "case-passed": builders.TestSpec("echo 1..1; echo ok 1; exit 1"),
		"bails": builders.TestSpec("echo 1..1; echo ok 1; echo 'Bail out! no database'"), "quiet": quiet,
	} {
		run := builders.TestRun(name).Running(spec).Once().Build()
		run.Spec.Retry.ExitCodes.Infrastructure = []int32{75}
		w.Create(run)
	}
	w.WaitForFinished("lacking", v1alpha1.VerdictError, v1alpha1.ReasonInfrastructureFailed, "exit code 75")
	w.WaitForFinished("case-passed", v1alpha1.VerdictFailed, v1alpha1.ReasonCasesPassed, "exit code 1")
	w.WaitForFinished("bails", v1alpha1.VerdictFailed, v1alpha1.ReasonBailedOut, "no database")
	w.WaitForFinished("quiet", v1alpha1.VerdictError, v1alpha1.ReasonNoResults)
}
