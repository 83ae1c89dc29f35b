package e2e

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/builders"
)

// pays is a test that takes a few seconds, and fails if it is told to.
const pays = `sleep 3; echo 1..2; echo ok 1 - opens the shop; [ "$RESULT" = good ] && { echo ok 2 - pays; exit; }; echo not ok 2 - pays; echo '# it was 3, not 4'; exit 1`

func TestPeopleRunTestsWatchThemAndFindOutWhyTheyFailed(t *testing.T) {
	for name, scripts := range map[string]bool{"with the script": true, "without JavaScript": false} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t, scripts)
			run := s.runATest()
			s.watch(run)
			s.findOutWhy(run)
			s.rerun(run)
			s.cancel()
			s.pauseAQueue()
		})
	}
}

// story is somebody who may do everything in a namespace, and pause queues.
type story struct {
	*person
	scripts bool
	// list is the list of runs, in another window.
	list *person
}

func newStory(t *testing.T, scripts bool) *story {
	t.Helper()
	w := newSerialWorld(t)
	url, chromium := w.forwardServer(), startChromium(t)
	good := "good"
	w.Create(builders.Test("shop", builders.TestSpec(pays, v1alpha1.ParamSpec{Name: "RESULT", Enum: []string{"good", "bad"}, Default: &good})))
	token := w.tokenOf("ada", "edit")
	w.letKeepQueues("ada")
	s := &story{person: w.newPerson(chromium, url, token, scripts), scripts: scripts, list: w.newPerson(chromium, url, token, scripts)}
	w.Create(builders.TestRun("first").Running(builders.TestSpec("echo 1..1; echo ok 1")).Build())
	s.list.opens("/?namespace=" + w.Namespace)
	s.list.reads(true, "first")
	if scripts {
		s.list.do(chromedp.Evaluate[chromedp.Void](recording))
	}
	return s
}

// runATest fills the form of a Test, and clicks Run.
func (s *story) runATest() (run string) {
	s.T.Helper()
	s.opens("/tests?namespace=" + s.Namespace)
	s.clicks("main", "shop")
	s.do(chromedp.SetValue(chromedp.CSS(`select[name="param-RESULT"]`), "bad"))
	s.clicks("main", "Run")
	s.WaitFor("a run of the Test exists", func() bool {
		run = s.theOne(func(spec *v1alpha1.TestRunSpec) bool { return spec.TestRef != nil && spec.TestRef.Name == "shop" })
		return run != ""
	})
	return run
}

// theOne is the run of the namespace that is so; none if there is none yet.
func (s *story) theOne(isIt func(spec *v1alpha1.TestRunSpec) bool) string {
	s.T.Helper()
	runs := &v1alpha1.TestRunList{}
	s.Must(s.Client.List(s.Ctx, runs, client.InNamespace(s.Namespace)))
	for i := range runs.Items {
		if isIt(&runs.Items[i].Spec) {
			return runs.Items[i].Name
		}
	}
	return ""
}

// watch sees the row of the run go through its states: by itself, or by reloading.
func (s *story) watch(run string) {
	s.T.Helper()
	if !s.scripts {
		s.list.reads(true, run, "1 failed")
		return
	}
	s.list.WaitFor("the row of the run says Failed", func() bool { return slices.Contains(s.list.statesOf(run), "Failed") })
	if states := strings.Join(s.list.statesOf(run), ", "); states != "Pending, In progress, Failed" {
		s.T.Errorf("the row of the run said %s", states)
	}
}

// findOutWhy opens the failing case, its output and its history.
func (s *story) findOutWhy(run string) {
	s.T.Helper()
	s.openRun(run, "What failed", "pays", "RESULT", "bad")
	s.clicks(`div[@id="failures"]`, "In the output")
	s.reads(true, "not ok 2 - pays", "it was 3, not 4")
	s.openRun(run, "What failed")
	s.clicks(`div[@id="failures"]`, "pays")
	s.reads(true, "pays", "Failed", run)
}

// openRun opens the page of a run, and waits until it says something.
func (s *story) openRun(run string, words ...string) {
	s.T.Helper()
	s.opens("/namespaces/" + s.Namespace + "/runs/" + run)
	s.WaitFor("the server knows the run "+run, func() bool {
		if strings.Contains(s.text(), "nothing here") {
			s.opens("/namespaces/" + s.Namespace + "/runs/" + run)
			return false
		}
		return true
	})
	s.reads(!s.scripts, words...)
}

// rerun repeats the run from its page, which then shows the new one.
func (s *story) rerun(run string) {
	s.T.Helper()
	s.openRun(run, "What failed")
	s.clicks("main", "Rerun")
	var again string
	s.WaitFor("a run that repeats it exists", func() bool {
		again = s.theOne(func(spec *v1alpha1.TestRunSpec) bool { return spec.RerunOf != nil && spec.RerunOf.Name == run })
		return again != ""
	})
	s.openRun(again, "What failed", "pays")
}

// cancel ends a run that would not end by itself.
func (s *story) cancel() {
	s.T.Helper()
	s.Create(builders.TestRun("endless").Running(builders.TestSpec("trap 'exit 1' TERM; while :; do sleep 1; done")).Build())
	s.WaitForInProgress("endless")
	s.openRun("endless", "In progress")
	s.clicks("main", "Cancel")
	s.openRun("endless", "Cancelled")
	s.WaitForFinished("endless", v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled)
}

// pauseAQueue pauses a queue, sees on the page of a run why it waits, and resumes it.
func (s *story) pauseAQueue() {
	s.T.Helper()
	queue := &v1alpha1.TestQueue{ObjectMeta: metav1.ObjectMeta{Name: s.Namespace}, Spec: v1alpha1.TestQueueSpec{MaxRunning: 1}}
	s.Must(s.Client.Create(s.Ctx, queue))
	s.T.Cleanup(func() { _ = s.Client.Delete(context.Background(), queue) })
	s.opens("/queues/" + queue.Name)
	s.clicks("main", "Pause "+queue.Name)
	s.Create(builders.TestRun("waiting").Running(builders.TestSpec("echo 1..1; echo ok 1")).Waiting(queue.Name).Build())
	s.openRun("waiting", "Pending", "suspended")
	s.opens("/queues/" + queue.Name)
	s.clicks("main", "Resume "+queue.Name)
	s.openRun("waiting", "Passed")
}
