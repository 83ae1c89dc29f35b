package controller

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/lifecycle"
	"github.com/testrun-dev/testrun/internal/results"
	"github.com/testrun-dev/testrun/test/builders"
	"github.com/testrun-dev/testrun/test/conditions"
	"github.com/testrun-dev/testrun/test/kit"
	"github.com/testrun-dev/testrun/test/node"
	"github.com/testrun-dev/testrun/test/operator"
)

func TestAPassingRunCostsThreeWritesAndARead(t *testing.T) {
	report := &results.Report{Format: results.TAP, Final: true}
	report.Add(results.Case{Name: "a", Outcome: results.Passed})
	for name, test := range map[string]struct {
		format  v1alpha1.ResultsFormat
		message string
		shows   string
	}{
		"with the runner":    {v1alpha1.ResultsTAP, string(report.Encode(4096)), "1/1"},
		"without the runner": {v1alpha1.ResultsNone, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := withController(t)
			run := builders.TestRun("smoke").Build()
			run.Spec.TestSpec.Results.Format = test.format
			w.Create(run)
			pod := w.Execute("smoke")
			w.ExpectConditions(w.WaitForInProgress("smoke"))
			w.Exit(pod, corev1.ContainerStateTerminated{ExitCode: 0, Message: test.message})
			run = w.WaitForFinished("smoke", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)

			attempt := run.Status.Attempts[0]
			if attempt.Job != "smoke-1" || attempt.Pod != pod.Name || attempt.Node != node.Name || *attempt.ExitCode != 0 || attempt.Verdict != v1alpha1.VerdictPassed {
				t.Errorf("the attempt is %+v", attempt)
			}
			status := run.Status
			if status.StartTime == nil || status.FinishTime == nil || status.Duration == nil || status.ObservedGeneration != run.Generation || status.Results.Summary != test.shows {
				t.Errorf("the status is %+v", status)
			}
			w.WaitFor("the Job completes", func() bool { return jobIs(w.Jobs()[0], batchv1.JobComplete) })
			aboutObjects, events := w.requests.split()
			if events != 0 {
				t.Errorf("%d events were written about a run that passed", events)
			}
			// If the pod is in the cache before its Job is, a read asks whether the Job is gone.
			aboutObjects = slices.DeleteFunc(aboutObjects, func(request string) bool { return request == "GET jobs" })
			want := []string{"GET testruns", "POST jobs", "PATCH testruns/status", "PATCH testruns/status"}
			if !slices.Equal(aboutObjects, want) {
				t.Errorf("the run cost %q, want %q", aboutObjects, want)
			}
		})
	}
}

func TestTheMetricsCountARun(t *testing.T) {
	w := withController(t)
	w.Create(builders.TestRun("smoke").Build())
	w.waitForMetricOne("testrun_runs", "Pending")
	pod := w.Execute("smoke")
	w.waitForMetricOne("testrun_runs", "InProgress")
	w.waitForMetricOne("testrun_run_waiting_seconds", "")
	w.Exit(pod, corev1.ContainerStateTerminated{ExitCode: 1})
	w.waitForMetricOne("testrun_runs", "Finished")
	w.waitForMetricOne("testrun_runs_finished_total", "Failed")
	w.waitForMetricOne("testrun_run_running_seconds", "")
	if n := w.metric("testrun_runs", "Pending") + w.metric("testrun_runs", "InProgress"); n != 0 {
		t.Errorf("%v runs are counted that do not exist", n)
	}
	w.Must(w.Client.Delete(w.Ctx, builders.TestRun("smoke").In(w.Namespace).Build()))
	w.WaitFor("the run is not counted any more", func() bool { return w.metric("testrun_runs", "Finished") == 0 })
}

func TestHowTheContainerEndsDecides(t *testing.T) {
	tests := map[string]struct {
		end     corev1.ContainerStateTerminated
		verdict v1alpha1.Verdict
		reason  string
	}{
		"exit code 0 passes":          {corev1.ContainerStateTerminated{ExitCode: 0}, v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed},
		"another exit code fails":     {corev1.ContainerStateTerminated{ExitCode: 3}, v1alpha1.VerdictFailed, v1alpha1.ReasonTestFailed},
		"out of memory is the test's": {corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"}, v1alpha1.VerdictFailed, v1alpha1.ReasonOutOfMemory},
		"a command that is not there": {corev1.ContainerStateTerminated{ExitCode: 128, Reason: "StartError", Message: "no such file"}, v1alpha1.VerdictError, v1alpha1.ReasonRuntimeFailed},
		"an end that the node forgot": {corev1.ContainerStateTerminated{ExitCode: 137, Reason: "ContainerStatusUnknown"}, v1alpha1.VerdictError, v1alpha1.ReasonPodLost},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := withController(t)
			w.Create(builders.TestRun("run").Once().Build())
			pod := w.Schedule("run")
			w.Exit(pod, test.end)
			w.WaitForFinished("run", test.verdict, test.reason)
		})
	}
}

func TestARunIsPendingBeforeAnyControllerSawIt(t *testing.T) {
	w := newWorld(t)
	w.Create(builders.TestRun("early").Build())
	run := w.WaitForPending("early", v1alpha1.ReasonWaiting)
	if conditions.Of(run, v1alpha1.ConditionReconciling).Status != metav1.ConditionTrue {
		t.Errorf("kstatus takes the run for done: %+v", run.Status)
	}
	w.startController()
	w.Execute("early")
	w.WaitForInProgress("early")
}

func TestATestThatComesLateIsRunAtOnce(t *testing.T) {
	w := withController(t)
	w.Create(builders.TestRun("late").Of("suite").Build())
	w.Create(builders.TestRun("good").Build())
	w.Execute("good") // the run in front delays nobody
	w.WaitForPending("late", v1alpha1.ReasonTestNotFound)
	w.Create(builders.Test("suite", builders.TestSpec("true")))
	job := w.WaitForJob("late")
	if job.Labels[v1alpha1.LabelTest] != "suite" {
		t.Errorf("the Job's labels are %v", job.Labels)
	}
}

func TestATestThatNeverComesIsAnError(t *testing.T) {
	w := withController(t)
	w.Create(builders.TestRun("lost").Of("nowhere").Build())
	run := w.WaitForFinished("lost", v1alpha1.VerdictError, v1alpha1.ReasonTestNotFound)
	if !strings.Contains(conditions.Message(run), `no Test "nowhere"`) || len(w.Jobs()) != 0 {
		t.Errorf("%s, %d Jobs", conditions.Message(run), len(w.Jobs()))
	}
}

func TestADefinitionIsFrozenWhenTheRunStarts(t *testing.T) {
	w := withController(t)
	test := builders.Test("suite", builders.TestSpec("exit 0"))
	w.Create(test)
	w.Create(builders.TestRun("frozen").Of("suite").Build())
	pod := w.Execute("frozen")
	test.Spec.Template.Spec.Containers[0].Command = []string{"sh", "-c", "exit 1"}
	w.Must(w.Client.Update(w.Ctx, test))
	w.Must(w.Client.Delete(w.Ctx, test))
	w.Exit(pod, corev1.ContainerStateTerminated{ExitCode: 0})
	run := w.WaitForFinished("frozen", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
	if generation := run.Status.TestGeneration; generation != 1 {
		t.Errorf("testGeneration is %d, want 1", generation)
	}
}

func TestParamsThatDoNotFitTheTestAreAnError(t *testing.T) {
	w := withController(t)
	required := true
	w.Create(builders.Test("suite", builders.TestSpec("true", v1alpha1.ParamSpec{Name: "TARGET", Required: &required})))
	w.Create(builders.TestRun("missing").Of("suite").Build())
	w.Create(builders.TestRun("unknown").Of("suite").Param("TARGET", "a").Param("TRAGET", "b").Build())
	if run := w.WaitForFinished("missing", v1alpha1.VerdictError, v1alpha1.ReasonInvalidParams); !strings.Contains(conditions.Message(run), "TARGET is required") {
		t.Error(conditions.Message(run))
	}
	if run := w.WaitForFinished("unknown", v1alpha1.VerdictError, v1alpha1.ReasonInvalidParams); !strings.Contains(conditions.Message(run), "defines no param TRAGET; it defines: TARGET") {
		t.Error(conditions.Message(run))
	}
}

func TestAJobThatTheServerFindsInvalidEndsTheRunAtOnce(t *testing.T) {
	w := withController(t)
	spec := builders.TestSpec("true")
	spec.Template.Spec.Containers[0].Image = ""
	w.Create(builders.TestRun("invalid").Running(spec).Build())
	run := w.WaitForFinished("invalid", v1alpha1.VerdictError, v1alpha1.ReasonJobInvalid)
	if !strings.Contains(conditions.Message(run), "containers[0].image: Required value") {
		t.Errorf("the message does not quote the server: %s", conditions.Message(run))
	}
}

func TestAForeignJobWithTheNameIsLeftAlone(t *testing.T) {
	w := withController(t)
	foreign := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "mine-1"}}
	foreign.Spec.Template = builders.TestSpec("true").Template
	foreign.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyNever
	w.Create(foreign)
	w.Create(builders.TestRun("mine").Build())
	w.WaitForFinished("mine", v1alpha1.VerdictError, v1alpha1.ReasonJobNameTaken)
}

func TestARunAfterADeletedOneOfItsNameWaitsForTheOldJob(t *testing.T) {
	w := withController(t)
	first := builders.TestRun("again").Build()
	w.Create(first)
	old := w.WaitForJob("again")
	w.Must(w.Client.Delete(w.Ctx, first))
	w.Create(builders.TestRun("again").Build())
	w.WaitFor("the second run has a Job of its own", func() bool {
		job := &batchv1.Job{}
		err := w.Client.Get(w.Ctx, client.ObjectKeyFromObject(old), job)
		return err == nil && job.UID != old.UID
	})
}

func TestTTLDeletesTheRunAndAllThatItOwns(t *testing.T) {
	w := withController(t)
	w.Create(builders.TestRun("brief").TTL(time.Second).Build())
	pod := w.Execute("brief")
	w.Exit(pod, corev1.ContainerStateTerminated{ExitCode: 0})
	w.WaitFor("the run is gone", func() bool {
		return apierrors.IsNotFound(w.Client.Get(w.Ctx, client.ObjectKey{Namespace: w.Namespace, Name: "brief"}, &v1alpha1.TestRun{}))
	})
	w.WaitFor("its Job and pod are gone", func() bool { return len(w.Jobs())+len(w.pods()) == 0 })
}

func TestAStatusIsBoundedWhateverKubernetesSays(t *testing.T) {
	w := withController(t)
	w.Create(builders.TestRun("wordy").Once().Build())
	pod := w.Schedule("wordy")
	w.Exit(pod, corev1.ContainerStateTerminated{ExitCode: 128, Reason: "StartError", Message: strings.Repeat("ä", 20_000)})
	run := w.WaitForFinished("wordy", v1alpha1.VerdictError, v1alpha1.ReasonRuntimeFailed)
	if n := len(conditions.Message(run)); n > 1024 || !strings.HasSuffix(conditions.Message(run), "ä…") {
		t.Errorf("the message has %d bytes and ends with %q", n, conditions.Message(run)[n-8:])
	}
}

func TestTwoControllersWithoutAnElectionMakeOneJobForEachRun(t *testing.T) {
	const runs = 60
	w := newWorld(t)
	w.startController()
	w.startController()
	created := map[string]bool{}
	for i := range runs {
		w.Create(builders.TestRun(fmt.Sprintf("run-%d", i)).Build())
	}
	w.WaitFor("every run has a Job", func() bool { return len(w.Jobs()) == runs })
	for _, job := range w.Jobs() {
		created[string(job.UID)] = true
	}
	for i := range runs {
		w.Execute(fmt.Sprintf("run-%d", i))
	}
	for i := range runs {
		w.WaitForInProgress(fmt.Sprintf("run-%d", i))
	}
	for _, job := range w.Jobs() {
		if !created[string(job.UID)] {
			t.Errorf("Job %s was made a second time", job.Name)
		}
	}
}

// Where thousands are kept a controller that starts would otherwise ask for the pod of each.
func TestAFinishedRunWhosePodIsGoneIsNotAskedAfter(t *testing.T) {
	w := newWorld(t)
	stop := w.startController()
	w.Create(builders.TestRun("kept").Build())
	w.Pass("kept")
	w.WaitFor("the Job completes", func() bool { return jobIs(w.Jobs()[0], batchv1.JobComplete) })
	w.Must(w.Client.Delete(w.Ctx, w.WaitForPod("kept"), client.GracePeriodSeconds(0)))
	stop()
	w.requests.all = nil
	w.startController()
	w.Create(builders.TestRun("next").Build())
	w.Pass("next")
	if all, _ := w.requests.split(); slices.Contains(all, "GET pods") {
		t.Errorf("the requests are %q", all)
	}
}

// A controller that starts asks for the Job of each run that has none which it watches, or lists them if there are many. If it knew
// of none this run would wait for its turn.
func TestAJobThatHasSucceededUnseenGivesTheVerdict(t *testing.T) {
	for name, others := range map[string]int{"few runs wait": 0, "many runs wait": 501} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			queue := w.queue(v1alpha1.TestQueueSpec{})
			stop := w.startController()
			w.Create(builders.TestRun("run").Waiting(queue).Build())
			w.WaitForJob("run")
			stop()
			w.changeQueue(queue, func(spec *v1alpha1.TestQueueSpec) { spec.Suspend = ptr.To(true) })
			for i := range others {
				w.Create(builders.TestRun(fmt.Sprintf("other-%d", i)).Waiting(queue).Build())
			}
			w.Exit(w.Execute("run"), corev1.ContainerStateTerminated{ExitCode: 0})
			w.WaitFor("the Job completes", func() bool { return jobIs(w.Jobs()[0], batchv1.JobComplete) })
			w.startController()
			w.WaitForFinished("run", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
		})
	}
}

// behind has the cache of the operators that start from now on hear of objects of that kind two seconds late.
func (w *world) behind(late string) {
	w.adjustManager = func(options *ctrl.Options) {
		present := func(string) string { return "" }
		options.Cache = operator.Misled(options.Cache, present, func(kind string, events watch.Interface) watch.Interface {
			if kind != late {
				return events
			}
			return watch.Filter(events, func(event watch.Event) (watch.Event, bool) {
				time.Sleep(2 * time.Second)
				return event, true
			})
		})
	}
}

func TestACacheThatIsBehindCostsNoWrite(t *testing.T) {
	w := newWorld(t)
	w.behind("TestRun")
	w.startController()
	w.Create(builders.TestRun("run").Build())
	w.Pass("run")
	w.waitForMetricOne("testrun_runs", "Finished") // in the cache
	requests, _ := w.requests.split()
	writes := slices.DeleteFunc(slices.Clone(requests), func(request string) bool { return strings.HasPrefix(request, http.MethodGet) })
	if want := []string{"POST jobs", "PATCH testruns/status", "PATCH testruns/status"}; !slices.Equal(writes, want) {
		t.Errorf("the run cost %q", requests)
	}
}

// The operator died between its two writes: the stop of the Job, and the status. The next one sees that the pod is being deleted, and the
// stop later.
func TestAStopThatTheCacheDoesNotShowYetIsNoDeletionOfThePod(t *testing.T) {
	w := newWorld(t)
	w.behind("Job")
	w.startController()
	w.Create(builders.TestRun("run").Once().Build())
	w.WaitForPod("run")
	kit.Pause(w.Ctx, 3*time.Second) // the cache has the Job, and the pod
	seen := lifecycle.Observation{Job: w.WaitForJob("run")}
	why := lifecycle.Finished(v1alpha1.VerdictError, v1alpha1.ReasonUnschedulable, "No node was found in time")
	w.Must(w.Client.Patch(w.Ctx, lifecycle.SuspendedJob(seen, why, time.Now()), client.MergeFrom(seen.Job)))
	w.WaitForFinished("run", v1alpha1.VerdictError, v1alpha1.ReasonUnschedulable, why.Message)
}

func jobIs(job batchv1.Job, conditionType batchv1.JobConditionType) bool {
	for _, condition := range job.Status.Conditions {
		if condition.Type == conditionType && condition.Status == corev1.ConditionTrue {
			return true
		}
	}
	return false
}
