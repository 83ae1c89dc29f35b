package testrun

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
)

// storing returns the scene with the status that follows from the plan, as if it had been stored.
func (s *scene) storing(plan plan, applyErr error, now time.Duration) *scene {
	s.run.Status = nextStatus(s.observation, plan, applyErr, t0.Add(now))
	return s
}

func TestTheSameStateAgainChangesNothing(t *testing.T) {
	states := map[string]*state{
		"pending":     pending(v1alpha1.ReasonUnschedulable, "no node"),
		"in progress": inProgress(v1alpha1.ReasonRunning, "it runs"),
		"finished":    finished(v1alpha1.VerdictFailed, v1alpha1.ReasonTestFailed, "exit code 1"),
	}
	for name, state := range states {
		t.Run(name, func(t *testing.T) {
			seen := aRun().withPod(running).storing(plan{state: state}, nil, time.Second)
			again := nextStatus(seen.observation, plan{state: state}, nil, t0.Add(time.Hour))
			if !equality.Semantic.DeepEqual(seen.run.Status, again) {
				t.Errorf("it was %+v and is %+v", seen.run.Status, again)
			}
		})
	}
}

func TestATestThatRanIsKnownToHaveRunWhateverItsNodeForgets(t *testing.T) {
	seen := aRun(once).withPod(running).storing(plan{state: inProgress(v1alpha1.ReasonRunning, "")}, nil, 0)
	for name, forget := range map[string]func(*corev1.Pod){
		"how it ended": func(pod *corev1.Pod) { exited(137, 0)(pod); neverMade(pod) },
		"all of it":    func(pod *corev1.Pod) { pod.Status.Phase, pod.Status.ContainerStatuses = corev1.PodFailed, nil },
	} {
		t.Run(name, func(t *testing.T) {
			forget(seen.pod)
			plan := decide(seen.observation, t0)
			status := nextStatus(seen.observation, plan, nil, t0)
			if got := words(plan.state); got != "Finished Error PodLost" || status.StartTime == nil {
				t.Errorf("it says %q and startTime is %v", got, status.StartTime)
			}
		})
	}
}

func TestPhasesNeverGoBack(t *testing.T) {
	seen := aRun().withPod(running).storing(plan{state: inProgress(v1alpha1.ReasonRunning, "")}, nil, 0)
	if status := nextStatus(seen.observation, plan{state: pending(v1alpha1.ReasonScheduling, "")}, nil, t0); status.Phase != v1alpha1.PhaseInProgress {
		t.Errorf("from InProgress it went to %s", status.Phase)
	}
	seen.storing(plan{state: finished(v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed, "")}, nil, 0)
	status := nextStatus(seen.observation, plan{state: finished(v1alpha1.VerdictError, v1alpha1.ReasonJobDeleted, "")}, nil, t0)
	if status.Verdict != v1alpha1.VerdictPassed {
		t.Errorf("the verdict Passed became %s", status.Verdict)
	}
}

func TestTroubleThatIsOnlyWordedAnewIsNotWorthAWrite(t *testing.T) {
	seen := aRun().withPod().storing(plan{state: pending(v1alpha1.ReasonImagePullFailed, "ErrImagePull")}, nil, 0)
	status := nextStatus(seen.observation, plan{state: pending(v1alpha1.ReasonImagePullFailed, "Back-off")}, nil, t0)
	if currentMessage(status) != "ErrImagePull" {
		t.Errorf("the message became %q", currentMessage(status))
	}
}

func TestAnAttemptThatCouldNotBeAppliedIsNotTold(t *testing.T) {
	state := finished(v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled, "")
	seen := aRun(cancelled).withPod(onANode)
	status := nextStatus(seen.observation, plan{stop: state, state: state}, errors.New("conflict"), t0)
	if status.Phase != v1alpha1.PhasePending {
		t.Errorf("the pod was not stopped and the run is %s", status.Phase)
	}
}

func TestARefusedJobIsRememberedSinceTheFirstRefusal(t *testing.T) {
	refused := &refusal{reason: v1alpha1.ReasonJobRefused, err: errors.New("exceeded quota")}
	seen := aRun().storing(plan{}, refused, time.Second).storing(plan{}, refused, time.Minute)
	attempt := seen.run.Status.Attempts[0]
	if want := after(time.Second); !attempt.CreateTime.Equal(&want) || attempt.Job != "" {
		t.Errorf("the attempt is %+v, want createTime %s and no Job", attempt, want)
	}
}

func TestConditionsDateFromTheRunsCreationAndNotFromTheSchemasDefault(t *testing.T) {
	seen := aRun(func(run *v1alpha1.TestRun) {
		run.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionPending, Status: metav1.ConditionTrue, LastTransitionTime: metav1.Unix(0, 0)}}
	})
	seen.storing(plan{state: pending(v1alpha1.ReasonScheduling, "")}, nil, time.Minute)
	condition := meta.FindStatusCondition(seen.run.Status.Conditions, v1alpha1.ConditionPending)
	if created := after(0); !condition.LastTransitionTime.Equal(&created) {
		t.Errorf("Pending dates from %s, want %s", condition.LastTransitionTime, created)
	}
}

func TestTheStatusStaysUnder32KiBWhateverTheMessage(t *testing.T) {
	message := strings.Repeat("\xff\x00<&\u2028", 10_000)
	seen := aRun().withPod(exited(1, 0)).storing(plan{state: finished(v1alpha1.VerdictFailed, v1alpha1.ReasonTestFailed, message)}, nil, 0)
	stored, err := json.Marshal(seen.run.Status)
	if err != nil {
		t.Fatal(err)
	}
	if len(stored) > 32<<10 {
		t.Errorf("the status has %d bytes", len(stored))
	}
}

// What a look at a run costs when nothing is to be done is what it costs most often.
func TestALookThatChangesNothingAllocatesLittle(t *testing.T) {
	const most = 30
	seen := aRun().withPod(running).storing(plan{state: inProgress(v1alpha1.ReasonRunning, "it runs")}, nil, time.Second).observation
	allocations := testing.AllocsPerRun(100, func() {
		nextStatus(seen, decide(seen, t0.Add(time.Minute)), nil, t0.Add(time.Minute))
	})
	if allocations > most {
		t.Errorf("it takes %g allocations, want %d at most", allocations, most)
	}
}
