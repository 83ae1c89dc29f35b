package plugin

import (
	"encoding/json"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/builders"
	"github.com/testrun-dev/testrun/test/conditions"
)

func TestRunningATestCreatesARunAndSaysHowToGoOn(t *testing.T) {
	w := withOperator(t)
	ada := w.developer()
	ran := ada.types("run", "checkout", "--name=first", "-p", "BROWSER=chromium", "--label=commit=4f2a9c1", "--priority=7")
	ran.expect(t, 0, "testrun.testrun.dev/first created").says(t, "kubectl testrun wait first")
	run := w.Run("first")
	if run.Spec.TestRef.Name != "checkout" || *run.Spec.Params[0].Value != "chromium" || run.Labels["commit"] != "4f2a9c1" || *run.Spec.Priority != 7 {
		t.Errorf("it created %+v", run)
	}
	named := ada.types("run", "checkout", "-o", "name")
	named.expect(t, 0, "testrun.testrun.dev/checkout-")
	printed := ada.types("run", "checkout", "-o", "yaml", "--dry-run")
	again := &v1alpha1.TestRun{}
	if err := yaml.Unmarshal([]byte(printed.out), again); err != nil || again.Kind != "TestRun" || again.Spec.TestRef.Name != "checkout" {
		t.Errorf("-o yaml printed %s: %v", printed.out, err)
	}
	list := &v1alpha1.TestRunList{}
	w.Must(w.Client.List(w.Ctx, list))
	for _, run := range list.Items {
		if run.Name == again.Name {
			t.Error("--dry-run created a run")
		}
	}
	w.WaitForPassed("first")
}

func TestTheExitCodeOfWaitIsTheVerdict(t *testing.T) {
	w := withOperator(t)
	ada := w.developer()
	ada.types("run", "checkout", "--name=good", "-p", "BROWSER=chromium", "--wait").expect(t, 0, "good: Passed", "2/3 cases passed").
		says(t, "good created", "good: Pending", "good: InProgress")
	ada.types("run", "checkout", "--name=bad", "--wait").expect(t, 1, "bad: Failed", "1 of 3 cases failed")
	ada.types("wait", "good", "bad").expect(t, 1, "good: Passed", "bad: Failed")
	ada.types("wait", "good").expect(t, 0, "good: Passed")
	w.finish("lost", v1alpha1.VerdictError, v1alpha1.ReasonPodLost)
	ada.types("wait", "lost").expect(t, 2, "lost: Error")
	w.finish("late", v1alpha1.VerdictTimedOut, v1alpha1.ReasonRunTimeout)
	ada.types("wait", "late").expect(t, 3, "late: TimedOut")
	ada.types("wait", "late", "bad", "lost").expect(t, 1)
	ada.types("run", "soak", "--name=endless", "-o", "name").expect(t, 0)
	ada.types("wait", "endless", "--timeout=1s").expect(t, 12).says(t, "1 run did not finish after 1s: endless")
	ada.types("cancel", "endless").expect(t, 0, "endless is being cancelled")
	ada.types("wait", "endless").expect(t, 4, "endless: Cancelled")
	ada.types("wait", "-l", "nobody=has").expect(t, 11).says(t, "no run in namespace")
}

// finish makes a run that has ended like that. It is cancelled, so that an operator does not start it meanwhile.
func (w *world) finish(name string, verdict v1alpha1.Verdict, reason string) {
	w.T.Helper()
	w.Create(builders.TestRun(name).Cancelled().Build())
	w.end(name, verdict, reason)
}

// end writes how a run has ended.
func (w *world) end(name string, verdict v1alpha1.Verdict, reason string) {
	w.T.Helper()
	run := builders.TestRun(name).Finished(verdict, reason).Build()
	w.WaitFor("run "+name+" has its end", func() bool {
		now := w.Run(name)
		now.Status = run.Status
		return w.Client.Status().Update(w.Ctx, now) == nil // the operator may have written first
	})
}

func TestListsAreNewestFirstAndSelect(t *testing.T) {
	w := withOperator(t)
	ada := w.developer()
	ada.types("list").expect(t, 0).says(t, "There are no runs in namespace "+w.Namespace, "kubectl testrun run TEST")
	ada.types("run", "checkout", "--name=one", "-p", "BROWSER=chromium", "--label=team=till", "--wait").expect(t, 0)
	ada.types("run", "checkout", "--name=two", "--wait").expect(t, 1)
	listed := ada.types("list").expect(t, 0, "NAME", "TEST", "STATE", "CASES")
	if strings.Index(listed.out, "two") > strings.Index(listed.out, "one") {
		t.Errorf("the newest is not first:\n%s", listed.out)
	}
	for args, want := range map[string]string{
		"--state=failed": "two", "--state=Passed,Error": "one", "-l team=till": "one", "--test=checkout --state=Passed": "one", "--state=Pending": "",
	} {
		got := ada.types(append([]string{"list", "-o", "name"}, strings.Fields(args)...)...).expect(t, 0)
		if want != "" {
			want = "testrun.testrun.dev/" + want + "\n"
		}
		if got.out != want {
			t.Errorf("list %s printed %q, want %q", args, got.out, want)
		}
	}
	ada.types("list", "-o", "wide").expect(t, 0, "QUEUE", "ATTEMPTS", "node-1", "MESSAGE")
	var parsed v1alpha1.TestRunList
	if err := json.Unmarshal([]byte(ada.types("list", "-o", "json").out), &parsed); err != nil || len(parsed.Items) != 2 || parsed.Kind != "TestRunList" {
		t.Errorf("-o json is no list of runs: %v", err)
	}
	admin := w.person("root", "testrun-starter*")
	admin.types("list", "-A").expect(t, 0, "NAMESPACE", w.Namespace)
}

func TestActionsAreDoneOnceAndSayIt(t *testing.T) {
	w := withOperator(t)
	ada := w.developer()
	ada.types("run", "checkout", "--name=first", "--label=team=till", "--wait").expect(t, 1)
	ada.types("pin", "first").expect(t, 0, "first pinned")
	ada.types("pin", "first").expect(t, 0, "first was pinned already")
	if w.Run("first").Annotations[v1alpha1.AnnotationPinned] != "true" {
		t.Error("it is not pinned")
	}
	ada.types("unpin", "first").expect(t, 0, "first unpinned")
	ada.types("unpin", "first").expect(t, 0, "first was not pinned")
	ada.types("cancel", "first").expect(t, 11).says(t, "run first has finished (Failed): there is nothing to cancel")
	ada.types("rerun", "first", "--wait").expect(t, 1, "first-").says(t, "created")
	again := &v1alpha1.TestRunList{}
	w.Must(w.Client.List(w.Ctx, again))
	found := 0
	for _, run := range again.Items {
		if run.Namespace == w.Namespace && run.Spec.RerunOf != nil && run.Spec.RerunOf.Name == "first" && run.Labels["team"] == "till" {
			found++
		}
	}
	if found != 1 {
		t.Errorf("%d runs repeat it, want one", found)
	}
	ada.types("run", "soak", "--name=soak").expect(t, 0)
	ada.types("run", "soak", "--name=soak-2").expect(t, 0)
	ada.types("cancel", "soak", "soak-2", "nothing").expect(t, 11, "soak is being cancelled", "soak-2 is being cancelled").says(t, `there is no run "nothing"`)
	w.WaitForFinished("soak", v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled)
}

func TestWhySaysWhatARunWaitsForAndWhatWouldLetItGo(t *testing.T) {
	w := withOperator(t)
	ada := w.person("ada", "testrun-starter", "testrun-queue-editor*")
	queue := w.queue(v1alpha1.TestQueueSpec{MaxRunning: 1})
	ada.types("run", "soak", "--name=runs", "--queue="+queue).expect(t, 0)
	w.WaitForInProgress("runs")
	ada.types("why", "runs").expect(t, 0, "runs is InProgress", "Its test has run for", "Attempt 1, pod runs-1-", "on node node-1", "kubectl testrun logs runs -f")
	ada.types("run", "soak", "--name=waits", "--queue="+queue).expect(t, 0)
	w.WaitForPending("waits", v1alpha1.ReasonQueued)
	ada.types("why", "waits").expect(t, 0, "1 of 1 runs run (maxRunning)", "in queue "+queue, "What to do: wait for its turn",
		"Its position is not known", "limit 1")
	ada.types("queue", "pause", queue).expect(t, 0, queue+" paused")
	ada.types("queue", "pause", queue).expect(t, 0, queue+" was paused already")
	w.WaitForPending("waits", v1alpha1.ReasonQueueSuspended)
	ada.types("why", "waits").expect(t, 0, "is suspended", "kubectl testrun queue resume "+queue)
	ada.types("queue", "top").expect(t, 0, "QUEUE", "RUNNING", "PAUSED", queue).says(t, "These are what the objects say")
	ada.types("queue", "top", queue).expect(t, 0, "POSITION", "waits", "QueueSuspended")
	ada.types("queue", "top", "-o", "name").expect(t, 0, "testqueue.testrun.dev/"+queue)
	ada.types("queue", "resume", queue).expect(t, 0, queue+" resumed")
	ada.types("queue", "resume", queue).expect(t, 0, queue+" was not paused")
	ada.types("cancel", "runs").expect(t, 0)
	w.WaitForInProgress("waits")
	ada.types("cancel", "waits").expect(t, 0)
	w.WaitForFinished("waits", v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled)
	ada.types("run", "checkout", "--name=bad", "--wait").expect(t, 1)
	ada.types("why", "bad").expect(t, 0, "bad is Failed", "exit code 1", "What to do:", "t/discount.t: ten percent for members", "got: '83.00'")
}

func TestResultsShowFailuresFirst(t *testing.T) {
	w := withOperator(t)
	ada := w.developer()
	ada.types("run", "checkout", "--name=bad", "--wait").expect(t, 1)
	shown := ada.types("results", "bad").expect(t, 0, "3 cases: 1 passed, 1 failed, 1 skipped", "Failed  t/discount.t: ten percent for members",
		"    expected: '75.00'", "2 cases not shown")
	if strings.Contains(shown.out, "adds an article") {
		t.Errorf("a case that passed is shown:\n%s", shown.out)
	}
	all := ada.types("results", "bad", "--all").expect(t, 0, "Passed  t/basket.t: adds an article", "Skipped  t/payment.t: refunds")
	if strings.Index(all.out, "Failed  ") > strings.Index(all.out, "Passed  ") {
		t.Errorf("the failures are not first:\n%s", all.out)
	}
	ada.types("results", "bad", "-o", "junit").expect(t, 0, `<testsuites name="bad" tests="3" failures="1" errors="0" skipped="1">`)
	ada.types("results", "bad", "-o", "tap").expect(t, 0, "1..3\n", "not ok 1 - t/discount.t: ten percent for members")
	var parsed struct {
		State string
		Cases []struct{ Outcome string }
	}
	if err := json.Unmarshal([]byte(ada.types("results", "bad", "-o", "json").out), &parsed); err != nil || parsed.State != "Failed" || len(parsed.Cases) != 3 || parsed.Cases[0].Outcome != "Failed" {
		t.Errorf("-o json printed %+v: %v", parsed, err)
	}
	ada.types("results", "bad", "-o", "yaml").expect(t, 0, "state: Failed\n")
}

func TestFollowingARunWithoutOutputStillEndsWithTheVerdict(t *testing.T) {
	w := withOperator(t)
	ada := w.developer()
	// No kubelet gives its output, and nobody may ask the archive.
	ada.types("run", "checkout", "--name=bad", "--follow").expect(t, 1).says(t, "bad: Failed", "The output cannot be followed")
}

func TestARunOfAnOldClusterSaysWhatItCan(t *testing.T) {
	w := newWorld(t)
	ada := w.developer()
	run := builders.TestRun("bare").Build()
	w.Create(run)
	if conditions.Reason(w.Run("bare")) != v1alpha1.ReasonWaiting {
		t.Error("the schema has another default")
	}
	ada.types("why", "bare").expect(t, 0, "No controller has reported on this run yet")
	ada.types("results", "bare").expect(t, 0, "The cases are known when the run has finished.")
	ada.types("version").expect(t, 0, version)
}

// harmful makes a run with a case whose name clears the screen.
func (w *world) harmful(name string) {
	w.T.Helper()
	run := builders.TestRun(name).Build()
	w.Create(run)
	run.Status = builders.TestRun(name).Finished(v1alpha1.VerdictFailed, v1alpha1.ReasonCasesFailed).Status
	run.Status.Results = v1alpha1.Results{
		Format: v1alpha1.ResultsTAP, Summary: "0/1", Total: 1, Failed: 1,
		Cases: []v1alpha1.Case{{Name: "clears \x1b[2J the screen", Outcome: v1alpha1.OutcomeFailed, Message: "a\x1b]0;title\x07b"}},
	}
	w.Must(w.Client.Status().Update(w.Ctx, run))
}
