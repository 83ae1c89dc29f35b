package lifecycle

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

func retrying(failure, disruption int32) func(*v1alpha1.TestRun) {
	return func(run *v1alpha1.TestRun) {
		run.Spec.Retry = v1alpha1.Retry{
			Failure: &failure, Disruption: &disruption,
			Backoff: v1alpha1.Backoff{Base: &v1alpha1.Duration{Duration: time.Second}, Factor: 3, Cap: &v1alpha1.Duration{Duration: 5 * time.Second}},

			ExitCodes: v1alpha1.ExitCodes{Permanent: []int32{2}, Infrastructure: []int32{75}},
		}
	}
}

// How attempts end.
var (
	passes       = []func(*corev1.Pod){exited(0, 0)}
	fails        = []func(*corev1.Pod){exited(1, 0)}
	isEvicted    = []func(*corev1.Pod){exited(137, time.Second), disruptedAt(0)}
	timesOut     = []func(*corev1.Pod){exited(143, 0), deadlineExceeded}
	failsForGood = []func(*corev1.Pod){exited(2, 0)}
	lacks        = []func(*corev1.Pod){exited(75, 0)}
	isDeleted    = []func(*corev1.Pod){exited(143, time.Second), podDeletedAt(0)}
	rejects      = []func(*corev1.Pod){rejected}
)

// live plays a run whose attempts end as given, and returns it when it has finished. Its status and Jobs are stored as a server
// would; time passes as the plans ask.
func live(t *testing.T, s *scene, ends ...[]func(*corev1.Pod)) *v1alpha1.TestRun {
	t.Helper()
	now := t0
	step := func(want string) {
		t.Helper()
		plan := Decide(s.look(), now)
		if got := deed(plan); got != want {
			t.Fatalf("at %s it does %q, want %q", now.Sub(t0), got, want)
		}
		s.Run.Status = NextStatus(s.look(), plan, nil, now)
		if plan.Create != 0 {
			s.Job, s.LastJob = jobOf(s.look(), plan.Create), nil
			s.Pod = nil
			s.Job.CreationTimestamp = metav1.NewTime(now)
		}
		now = now.Add(plan.RequeueAfter)
	}
	for i, end := range ends {
		if i > 0 {
			s.Job, s.LastJob, s.Pod, s.Report = nil, s.Job, nil, nil
			step("") // the backoff
		}
		step("create")
		s.Pod = &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint(s.Job.Name, "-x")}}
		running(s.Pod)
		step("")
		s.Pod.Status = corev1.PodStatus{}
		for _, change := range end {
			change(s.Pod)
		}
		step("")
	}
	return s.Run
}

func TestTheCauseDecidesFromWhichBudgetAnotherAttemptIsPaid(t *testing.T) {
	type ends = [][]func(*corev1.Pod)
	tests := map[string]struct {
		failure, disruption int32
		ends                ends
		says                string
		flaky               bool
	}{
		"passing needs no other":                 {2, 2, ends{passes}, "Passed TestPassed", false},
		"failing has none by default":            {0, 2, ends{fails}, "Failed TestFailed", false},
		"failing, then passing, is flaky":        {1, 0, ends{fails, passes}, "Passed TestPassed", true},
		"failing until the budget is spent":      {2, 2, ends{fails, fails, fails}, "Failed TestFailed", false},
		"a timeout is a failure":                 {1, 2, ends{timesOut, timesOut}, "TimedOut RunTimeout", false},
		"an eviction, then passing, is no flake": {0, 1, ends{isEvicted, passes}, "Passed TestPassed", false},
		"evicted until the budget is spent":      {5, 2, ends{isEvicted, isEvicted, isEvicted}, "Error Disrupted", false},
		"an eviction does not spend failures":    {1, 1, ends{isEvicted, fails, passes}, "Passed TestPassed", true},
		"a failure does not spend disruptions":   {1, 1, ends{fails, isEvicted, fails}, "Failed TestFailed", false},
		"a permanent exit code has no other":     {5, 5, ends{fails, failsForGood}, "Failed TestFailed", false},
		"infrastructure's own exit code":         {0, 1, ends{lacks, passes}, "Passed TestPassed", false},
		"infrastructure that stays away":         {5, 1, ends{lacks, lacks}, "Error InfrastructureFailed", false},
		"a pod deleted by hand has no other":     {5, 5, ends{isDeleted}, "Error PodDeleted", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			run := live(t, aRun(retrying(test.failure, test.disruption)), test.ends...)
			if got := fmt.Sprint(run.Status.Verdict, " ", CurrentReason(run.Status)); run.Status.Phase != v1alpha1.PhaseFinished || got != test.says {
				t.Errorf("it is %s %s, want Finished %s", run.Status.Phase, got, test.says)
			}
			if got := ptr.Deref(run.Status.Flaky, false); got != test.flaky {
				t.Errorf("flaky is %t", got)
			}
			if len(run.Status.Attempts) != len(test.ends) {
				t.Fatalf("%d attempts, want %d", len(run.Status.Attempts), len(test.ends))
			}
			for i, attempt := range run.Status.Attempts {
				if int(attempt.Number) != i+1 || attempt.Job != fmt.Sprintf("smoke-%d", i+1) || attempt.Pod != attempt.Job+"-x" ||
					attempt.Verdict == "" || attempt.Reason == "" || attempt.StartTime == nil || attempt.FinishTime == nil || attempt.ExitCode == nil {
					t.Errorf("attempt %d is %+v", i+1, attempt)
				}
			}
		})
	}
}

func TestARunThatNeverRanStaysPendingBetweenAttempts(t *testing.T) {
	s := aRun(retrying(0, 1)).withPod(rejects...)
	status := NextStatus(s.look(), Decide(s.look(), t0), nil, t0)
	if status.Phase != v1alpha1.PhasePending || CurrentReason(status) != v1alpha1.ReasonRetrying {
		t.Errorf("it is %s (%s)", status.Phase, CurrentReason(status))
	}
}

func TestAFurtherAttemptThatIsSlowToStartSaysSoWithoutGoingBack(t *testing.T) {
	s := aRun(retrying(1, 0))
	live(t, s, fails)
	s.Job, s.LastJob, s.Pod = nil, s.Job, nil
	now := t0.Add(time.Minute)
	s.Job = jobOf(s.look(), Decide(s.look(), now).Create)
	s.Job.CreationTimestamp, s.LastJob = metav1.NewTime(now), nil
	s.Pod = &corev1.Pod{}
	unschedulable(s.Pod)
	now = now.Add(10 * time.Second)
	status := NextStatus(s.look(), Decide(s.look(), now), nil, now)
	if status.Phase != v1alpha1.PhaseInProgress || CurrentReason(status) != v1alpha1.ReasonUnschedulable || len(status.Attempts) != 2 {
		t.Errorf("it is %s (%s) with %d attempts", status.Phase, CurrentReason(status), len(status.Attempts))
	}
}

func TestACancelledRunHasNoOtherAttempt(t *testing.T) {
	s := aRun(retrying(3, 3))
	live(t, s, fails)
	s.Run.Spec.Cancel = ptr.To(true)
	s.Job, s.LastJob, s.Pod = nil, s.Job, nil
	plan := Decide(s.look(), t0.Add(time.Hour))
	status := NextStatus(s.look(), plan, nil, t0.Add(time.Hour))
	if got := words(plan.State); got != "Finished Cancelled Cancelled" || plan.State.Message != "Cancelled between two attempts" || len(status.Attempts) != 1 || status.Attempts[0].Verdict != v1alpha1.VerdictFailed {
		t.Errorf("between attempts it says %q, attempts %+v", got, status.Attempts)
	}
	if got := words(Decide(aRun(retrying(3, 3), cancelled).withPod(fails...).look(), t0).State); got != "Finished Failed TestFailed" {
		t.Errorf("when it has failed by itself it says %q", got)
	}
}

func TestWithoutTheLastJobThereIsNothingToRunAgain(t *testing.T) {
	s := aRun(retrying(1, 0))
	live(t, s, fails)
	s.Job, s.Pod = nil, nil
	if got := words(Decide(s.look(), t0.Add(time.Hour)).State); got != "Finished Error JobDeleted" {
		t.Errorf("it says %q", got)
	}
}

func TestARunOfWhichNobodyKnowsAnyMoreWhatItExecutesEnds(t *testing.T) {
	s := aRun(retrying(1, 1))
	live(t, s, fails)
	s.Job, s.LastJob, s.Pod = nil, s.Job, nil
	s.DefinitionLost = errors.New("annotation of Job smoke-1 cannot be read: " + strings.Repeat("x", 2*maxMessage))
	plan := Decide(s.look(), t0.Add(time.Minute))
	if got := words(plan.State); got != "Finished Error DefinitionLost" || !strings.Contains(plan.State.Message, "smoke-1") {
		t.Errorf("it says %q: %s", got, plan.State.Message)
	}
	if message := CurrentMessage(NextStatus(s.look(), plan, nil, t0)); len(message) > maxMessage {
		t.Errorf("the message has %d bytes", len(message))
	}
}
