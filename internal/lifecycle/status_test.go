package lifecycle

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/jobspec"
)

// storing returns the scene with the status that follows from the plan, as if it had been stored.
func (s *scene) storing(plan Plan, applyErr error, now time.Duration) *scene {
	s.Run.Status = NextStatus(s.look(), plan, applyErr, t0.Add(now))
	return s
}

func TestTheSameStateAgainChangesNothing(t *testing.T) {
	states := map[string]*State{
		"pending":     pending(v1alpha1.ReasonUnschedulable, "no node"),
		"in progress": inProgress(v1alpha1.ReasonRunning, "it runs"),
		"finished":    Finished(v1alpha1.VerdictFailed, v1alpha1.ReasonTestFailed, "exit code 1"),
	}
	for name, state := range states {
		t.Run(name, func(t *testing.T) {
			seen := aRun().withPod(running).storing(Plan{State: state}, nil, time.Second)
			again := NextStatus(seen.look(), Plan{State: state}, nil, t0.Add(time.Hour))
			if !equality.Semantic.DeepEqual(seen.Run.Status, again) {
				t.Errorf("it was %+v and is %+v", seen.Run.Status, again)
			}
		})
	}
}

func TestATestThatRanIsKnownToHaveRunWhateverItsNodeForgets(t *testing.T) {
	seen := aRun(once).withPod(running).storing(Plan{State: inProgress(v1alpha1.ReasonRunning, "")}, nil, 0)
	for name, forget := range map[string]func(*corev1.Pod){
		"how it ended": func(pod *corev1.Pod) { exited(137, 0)(pod); neverMade(pod) },
		"all of it":    func(pod *corev1.Pod) { pod.Status.Phase, pod.Status.ContainerStatuses = corev1.PodFailed, nil },
	} {
		t.Run(name, func(t *testing.T) {
			forget(seen.Pod)
			plan := Decide(seen.look(), t0)
			status := NextStatus(seen.look(), plan, nil, t0)
			if got := words(plan.State); got != "Finished Error PodLost" || status.StartTime == nil {
				t.Errorf("it says %q and startTime is %v", got, status.StartTime)
			}
		})
	}
}

func TestTheStatusNamesTheQueueInWhichTheRunCounts(t *testing.T) {
	in := func(queue string) func(*v1alpha1.TestRun) {
		return func(run *v1alpha1.TestRun) { run.Spec.TestSpec.Queue = queue }
	}
	waits := aRun(in("slow")).storing(Plan{State: pending(v1alpha1.ReasonQueued, "")}, nil, 0)
	if got := waits.Run.Status.Queue; got != "slow" {
		t.Errorf("it waits in %q", got)
	}
	in("fast")(waits.Run)
	waits.Asked = waits.Run.Spec
	if got := waits.storing(Plan{State: pending(v1alpha1.ReasonQueued, "")}, nil, 0).Run.Status.Queue; got != "fast" {
		t.Errorf("when the definition has changed it waits in %q", got)
	}
	runs := aRun(in("slow")).withPod(running).storing(Plan{State: inProgress(v1alpha1.ReasonRunning, "")}, nil, 0)
	in("fast")(runs.Run)
	if got := runs.storing(Plan{State: inProgress(v1alpha1.ReasonRunning, "")}, nil, 0).Run.Status.Queue; got != "slow" {
		t.Errorf("it counts in %q", got)
	}
	if got := aRun().storing(Plan{State: pending(v1alpha1.ReasonQueued, "")}, nil, 0).Run.Status.Queue; got != v1alpha1.DefaultQueue {
		t.Errorf("a run that names none waits in %q", got)
	}
}

func TestPhasesNeverGoBack(t *testing.T) {
	seen := aRun().withPod(running).storing(Plan{State: inProgress(v1alpha1.ReasonRunning, "")}, nil, 0)
	if status := NextStatus(seen.look(), Plan{State: pending(v1alpha1.ReasonScheduling, "")}, nil, t0); status.Phase != v1alpha1.PhaseInProgress {
		t.Errorf("from InProgress it went to %s", status.Phase)
	}
	seen.storing(Plan{State: Finished(v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed, "")}, nil, 0)
	status := NextStatus(seen.look(), Plan{State: Finished(v1alpha1.VerdictError, v1alpha1.ReasonJobDeleted, "")}, nil, t0)
	if status.Verdict != v1alpha1.VerdictPassed {
		t.Errorf("the verdict Passed became %s", status.Verdict)
	}
}

func TestTroubleThatIsOnlyWordedAnewIsNotWorthAWrite(t *testing.T) {
	seen := aRun().withPod().storing(Plan{State: pending(v1alpha1.ReasonImagePullFailed, "ErrImagePull")}, nil, 0)
	status := NextStatus(seen.look(), Plan{State: pending(v1alpha1.ReasonImagePullFailed, "Back-off")}, nil, t0)
	if CurrentMessage(status) != "ErrImagePull" {
		t.Errorf("the message became %q", CurrentMessage(status))
	}
}

func TestAnAttemptThatCouldNotBeAppliedIsNotTold(t *testing.T) {
	state := Finished(v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled, "")
	seen := aRun(cancelled).withPod(onANode)
	status := NextStatus(seen.look(), Plan{Stop: state, State: state}, errors.New("conflict"), t0)
	if status.Phase != v1alpha1.PhasePending {
		t.Errorf("the pod was not stopped and the run is %s", status.Phase)
	}
}

func TestARefusedJobIsRememberedSinceTheFirstRefusal(t *testing.T) {
	refused := &jobspec.Refusal{Reason: v1alpha1.ReasonJobRefused, Err: errors.New("exceeded quota")}
	seen := aRun().storing(Plan{}, refused, time.Second).storing(Plan{}, refused, time.Minute)
	attempt := seen.Run.Status.Attempts[0]
	if want := after(time.Second); !attempt.CreateTime.Equal(&want) || attempt.Job != "" {
		t.Errorf("the attempt is %+v, want createTime %s and no Job", attempt, want)
	}
}

func TestConditionsDateFromTheRunsCreationAndNotFromTheSchemasDefault(t *testing.T) {
	seen := aRun(func(run *v1alpha1.TestRun) {
		run.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionPending, Status: metav1.ConditionTrue, LastTransitionTime: metav1.Unix(0, 0)}}
	})
	seen.storing(Plan{State: pending(v1alpha1.ReasonScheduling, "")}, nil, time.Minute)
	condition := meta.FindStatusCondition(seen.Run.Status.Conditions, v1alpha1.ConditionPending)
	if created := after(0); !condition.LastTransitionTime.Equal(&created) {
		t.Errorf("Pending dates from %s, want %s", condition.LastTransitionTime, created)
	}
}

func TestTheStatusStaysUnder32KiBWhateverTheMessage(t *testing.T) {
	message := strings.Repeat("\xff\x00<&\u2028", 10_000)
	seen := aRun().withPod(exited(1, 0)).storing(Plan{State: Finished(v1alpha1.VerdictFailed, v1alpha1.ReasonTestFailed, message)}, nil, 0)
	stored, err := json.Marshal(seen.Run.Status)
	if err != nil {
		t.Fatal(err)
	}
	if len(stored) > 32<<10 {
		t.Errorf("the status has %d bytes", len(stored))
	}
}

// Most looks at a run find nothing to do, so this is what a look costs most often.
func TestALookThatChangesNothingAllocatesLittle(t *testing.T) {
	const most = 30
	seen := aRun().withPod(running).storing(Plan{State: inProgress(v1alpha1.ReasonRunning, "it runs")}, nil, time.Second).look()
	allocations := testing.AllocsPerRun(100, func() {
		NextStatus(seen, Decide(seen, t0.Add(time.Minute)), nil, t0.Add(time.Minute))
	})
	if allocations > most {
		t.Errorf("it takes %g allocations, want %d at most", allocations, most)
	}
}
