package lifecycle

import (
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

func viaKueue(run *v1alpha1.TestRun) {
	retrying(0, 1)(run)
	run.Spec.TestSpec.Template.Labels = map[string]string{v1alpha1.LabelKueueQueue: "team-a"}
}

// held has the Job suspended since t0.
func held(s *scene) *scene {
	s.Job.Spec.Suspend = ptr.To(true)
	s.Job.Status.Conditions = append(s.Job.Status.Conditions, suspendedSince(corev1.ConditionTrue, after(0)))
	return s
}

func suspendedSince(status corev1.ConditionStatus, since metav1.Time) batchv1.JobCondition {
	return batchv1.JobCondition{Type: batchv1.JobSuspended, Status: status, LastTransitionTime: since}
}

// kueueSays has Kueue say this of the Job.
func (s *scene) kueueSays(change ...func(*Workload)) *scene {
	s.Workload = &Workload{ObjectMeta: metav1.ObjectMeta{Name: "job-smoke-1-12345"}}
	for _, change := range change {
		change(s.Workload)
	}
	return s
}

func condition(conditionType string, status metav1.ConditionStatus, message string) func(*Workload) {
	return func(w *Workload) {
		w.Status.Conditions = append(w.Status.Conditions, metav1.Condition{Type: conditionType, Status: status, Message: message})
	}
}

func check(name, state, message string) func(*Workload) {
	return func(w *Workload) {
		w.Status.AdmissionChecks = append(w.Status.AdmissionChecks, admissionCheck{Name: name, State: state, Message: message})
	}
}

var (
	noQueue      = condition(workloadQuotaReserved, metav1.ConditionFalse, "LocalQueue team-a doesn't exist")
	reserved     = condition(workloadQuotaReserved, metav1.ConditionTrue, "Quota reserved in ClusterQueue all")
	evicted      = condition("Evicted", metav1.ConditionTrue, "The workload is deactivated")
	failsToStart = condition(workloadFinished, metav1.ConditionTrue, "conflict for annotations")
	deactivated  = func(w *Workload) { w.Spec.Active = ptr.To(false) }
	forbidden    = func(w *Workload) { w.Unreadable = true }
)

// Kueue's part: a Job that it holds, has released, refuses, or takes away while the test runs.
func TestARunWhoseJobKueueAdmits(t *testing.T) {
	tests := map[string]struct {
		seen *scene
		now  time.Duration
		does string
		says string
	}{
		"waits":                                {held(aRun(viaKueue).withJob()), 10 * time.Second, "", "Pending  WaitingForKueue"},
		"waits however long it takes":          {held(aRun(viaKueue).withJob()), time.Hour, "", "Pending  WaitingForKueue"},
		"ends when timeouts.queue is over":     {held(aRun(viaKueue, queueTimeoutOf(time.Minute)).withJob()), time.Minute, "stop", "Finished Error QueueTimeout"},
		"waits until then":                     {held(aRun(viaKueue, queueTimeoutOf(time.Minute)).withJob()), 59 * time.Second, "", "Pending  WaitingForKueue"},
		"can be cancelled":                     {held(aRun(viaKueue, cancelled).withJob()), 0, "stop", "Finished Cancelled Cancelled"},
		"ends when it is deactivated":          {held(aRun(viaKueue).withJob()).kueueSays(noQueue, deactivated), time.Minute, "stop", "Finished Error KueueRefused"},
		"ends when it cannot be started":       {held(aRun(viaKueue).withJob()).kueueSays(reserved, failsToStart), time.Minute, "stop", "Finished Error KueueRefused"},
		"is disrupted when it is preempted":    {held(aRun(viaKueue, hasRun).withJob()).kueueSays(noQueue), 0, "stop", "InProgress  Retrying"},
		"ends when it is deactivated later":    {held(aRun(viaKueue, hasRun).withJob()).kueueSays(evicted, deactivated), 0, "stop", "Finished Error KueueRefused"},
		"waits on when its pod is taken away":  {held(aRun(viaKueue).withPod(unschedulable, podDeletedAt(0))), 10 * time.Second, "", "Pending  WaitingForKueue"},
		"and when its node ended that pod":     {held(aRun(viaKueue).withPod(rejected, disruptedAt(0), podDeletedAt(0))), 10 * time.Second, "", "Pending  WaitingForKueue"},
		"is no concern of a Job without label": {held(aRun().withJob()), time.Hour, "stop", "Finished Error StartTimeout"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			plan := Decide(test.seen.look(), t0.Add(test.now))
			if deed(plan) != test.does || words(plan.State) != test.says {
				t.Errorf("it does %q and says %q, want %q and %q", deed(plan), words(plan.State), test.does, test.says)
			}
		})
	}
	resumed := aRun(viaKueue).withPod(onANode, podDeletedAt(0))
	resumed.Job.Status.Conditions = []batchv1.JobCondition{suspendedSince(corev1.ConditionFalse, after(time.Second))}
	if plan := Decide(resumed.look(), t0.Add(10*time.Second)); words(plan.State) != "" || plan.Rule != "testStarts" {
		t.Errorf("a pod that was taken back, and whose Job was resumed, has it say %q (%s)", words(plan.State), plan.Rule)
	}
	released := aRun(viaKueue).withJob(suspendedSince(corev1.ConditionFalse, after(time.Hour)))
	if deadline, _ := StartDeadline(released.look()); !deadline.Equal(t0.Add(time.Hour + time.Minute)) {
		t.Errorf("timeouts.start is over at %s, want a minute after Kueue has released the Job", deadline)
	}
}

func TestAWorkloadIsReadAsKueueWritesIt(t *testing.T) {
	w, err := WorkloadOf(&unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"name": "job-smoke-1-12345"},
		"spec":     map[string]any{"active": false, "priority": int64(1)},
		"status": map[string]any{"conditions": []any{map[string]any{
			"type": "QuotaReserved", "status": "False", "reason": "Inadmissible", "message": "LocalQueue nope doesn't exist", "lastTransitionTime": "2026-01-02T03:04:05Z",
		}}},
	}})
	if err != nil || w.Name != "job-smoke-1-12345" || w.waitMessage() != "LocalQueue nope doesn't exist" || w.refusal() == "" || w.holdsQuota() {
		t.Errorf("it is %+v, %v", w, err)
	}
}

func TestKueueIsQuoted(t *testing.T) {
	for name, test := range map[string]struct {
		says []func(*Workload)
		want string
	}{
		"no queue":                     {[]func(*Workload){noQueue}, "Job smoke-1 waits for Kueue to admit it in queue team-a: LocalQueue team-a doesn't exist"},
		"an admission check":           {[]func(*Workload){reserved, check("ready", "Ready", ""), check("nodes", "Pending", "two nodes are on their way")}, "team-a: admission check nodes is Pending: two nodes are on their way"},
		"a check without a message":    {[]func(*Workload){reserved, check("nodes", "Retry", "")}, "team-a: admission check nodes is Retry"},
		"nothing yet":                  {nil, "waits for Kueue to admit it in queue team-a"},
		"what may not be read":         {[]func(*Workload){forbidden}, "kubectl -n default describe workloads"},
		"admitted, not resumed so far": {[]func(*Workload){reserved}, "waits for Kueue to admit it in queue team-a"},
	} {
		t.Run(name, func(t *testing.T) {
			s := held(aRun(viaKueue).withJob()).kueueSays(test.says...)
			if state := Decide(s.look(), t0.Add(time.Minute)).State; !strings.HasSuffix(state.Message, test.want) {
				t.Errorf("it says %q, want that it ends with %q", state.Message, test.want)
			}
		})
	}
}

func TestWhatKueueSaysAnewIsTold(t *testing.T) {
	s := held(aRun(viaKueue).withJob()).kueueSays(noQueue)
	plan := Decide(s.look(), t0.Add(20*time.Second))
	if plan.RequeueAfter != 20*time.Second {
		t.Errorf("it asks again after %s, want as long as it has waited", plan.RequeueAfter)
	}
	s.Run.Status = NextStatus(s.look(), plan, nil, t0.Add(20*time.Second))
	s.kueueSays(condition(workloadQuotaReserved, metav1.ConditionFalse, "1 more cpu needed"))
	plan = Decide(s.look(), t0.Add(time.Hour))
	if plan.RequeueAfter != longestPause {
		t.Errorf("after an hour it asks again after %s", plan.RequeueAfter)
	}
	if status := NextStatus(s.look(), plan, nil, t0.Add(time.Hour)); !strings.HasSuffix(CurrentMessage(status), "1 more cpu needed") {
		t.Errorf("it still says %q", CurrentMessage(status))
	}
}

func TestAStoppedJobLeavesKueuesQueueWhenItHoldsNoQuota(t *testing.T) {
	stopped := func(change ...func(*Workload)) *scene {
		s := held(aRun(viaKueue, over).withJob()).jobStopped(Finished(v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled, ""))
		return s.kueueSays(change...)
	}
	left := stopped(noQueue)
	left.Job.Spec.Parallelism = ptr.To[int32](0)
	ended := stopped(noQueue)
	ended.Job.Status.Conditions = append(ended.Job.Status.Conditions, batchv1.JobCondition{Type: batchv1.JobFailed, Status: corev1.ConditionTrue})
	for name, test := range map[string]struct {
		seen   *scene
		now    time.Duration
		leaves bool
		again  time.Duration
	}{
		"not while Kueue takes its quota back": {stopped(noQueue), time.Second, false, ExplainAfter},
		"then":                                 {stopped(noQueue), kueueMargin, true, 0},
		"not while it holds quota":             {stopped(reserved), time.Minute, false, time.Minute},
		"once":                                 {left, time.Minute, false, 0},
		"not when it has ended":                {ended, time.Minute, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			plan := Decide(test.seen.look(), t0.Add(test.now))
			if (plan.LeaveKueue != nil) != test.leaves || plan.RequeueAfter != test.again || plan.Stop != nil {
				t.Errorf("it leaves: %t, looks again after %s, stops: %t", plan.LeaveKueue != nil, plan.RequeueAfter, plan.Stop != nil)
			}
		})
	}
}

func TestTheNextAttemptTakesTheLastOneOutOfKueuesQueue(t *testing.T) {
	s := aRun(viaKueue)
	live(t, s, isEvicted)
	s.Job, s.LastJob, s.Pod = nil, held(s).jobStopped(Finished(v1alpha1.VerdictError, v1alpha1.ReasonDisrupted, "")).Job, nil
	s.LastJob.Status.Conditions[0].LastTransitionTime = after(time.Minute)
	if plan := Decide(s.look(), t0.Add(time.Minute)); plan.Create != 0 || plan.RequeueAfter != kueueMargin {
		t.Errorf("while Kueue takes the quota back it creates: %t, looks again after %s", plan.Create != 0, plan.RequeueAfter)
	}
	if plan := Decide(s.look(), t0.Add(time.Minute+kueueMargin)); plan.Create == 0 || plan.LeaveKueue != s.LastJob {
		t.Error("the last Job keeps its place")
	}
}

func TestAnAttemptThatWasStartedInASecondPodIsOver(t *testing.T) {
	ranElsewhere := func(run *v1alpha1.TestRun) {
		hasRun(run)
		run.Status.Attempts[0].Pod = "smoke-1-first"
	}
	tests := map[string]struct {
		seen *scene
		does string
		says string
	}{
		"and told to stop":              {aRun(viaKueue, ranElsewhere).withPod(running), "stop", ""},
		"before it runs again, too":     {aRun(viaKueue, ranElsewhere).withPod(onANode), "stop", ""},
		"also when it has passed there": {aRun(viaKueue, ranElsewhere).withPod(exited(0, 0)), "", "InProgress  Retrying"},
		"and the run, without retries":  {aRun(viaKueue, ranElsewhere, once).withPod(exited(0, 0)), "", "Finished Error Disrupted"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			plan := Decide(test.seen.look(), t0.Add(time.Second))
			if deed(plan) != test.does || words(plan.State) != test.says {
				t.Errorf("it does %q and says %q, want %q and %q", deed(plan), words(plan.State), test.does, test.says)
			}
		})
	}
}
