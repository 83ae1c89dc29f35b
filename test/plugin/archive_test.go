package plugin

import (
	"strings"
	"testing"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/push"
)

func TestARunThatIsGoneComesFromTheArchiveWithoutBeingAsked(t *testing.T) {
	w := withOperator(t)
	alone := w.developer()
	ada := alone.withArchive()
	ada.types("run", "checkout", "--name=bad", "--wait").expect(t, 1)
	w.waitForArchived("bad")
	ada.types("logs", "bad").expect(t, 0, "not ok 2 - ten percent for members")
	w.delete("bad")

	const gone = "Run bad is not in the cluster any more; this is what the archive has of it."
	ada.types("wait", "bad").expect(t, 1, "bad: Failed").says(t, gone)
	ada.types("logs", "bad").expect(t, 0, "not ok 2 - ten percent for members").says(t, gone)
	ada.types("results", "bad").expect(t, 0, "3 cases: 1 passed, 1 failed, 1 skipped", "expected: '75.00'").says(t, gone)
	ada.types("why", "bad").expect(t, 0, "bad is Failed", "It is not in the cluster any more").says(t, gone)
	ada.types("list").says(t, "There are no runs")
	ada.types("list", "--archived").expect(t, 0, "bad", "checkout", "Failed", "1/3", "(gone)")
	ada.types("list", "--archived", "-o", "json").expect(t, 0, `"kind": "TestRun"`, `"name": "bad"`, `"testRef"`)
	ada.types("list", "--archived", "--state=Passed").says(t, "No run in namespace "+w.Namespace+" is like that")
	ada.types("cancel", "bad").expect(t, 11).says(t, "run bad is not in the cluster any more: what it said is kept, and nothing can be done with it")
	alone.types("results", "bad").expect(t, 11).says(t, `there is no run "bad"`, "leave out --archive=none")
}

func TestTheArchiveSaysWhichFailuresAreNew(t *testing.T) {
	w := withOperator(t)
	ada := w.developer().withArchive()
	ada.types("run", "checkout", "--name=good", "-p", "BROWSER=chromium", "--wait").expect(t, 0)
	w.waitForArchived("good")
	ada.types("run", "checkout", "--name=bad", "--wait").expect(t, 1)
	w.waitForArchived("bad")
	w.WaitFor("the failure is said to be new", func() bool { return strings.Contains(ada.types("results", "bad").out, "(new, 48ms") })
	ada.types("run", "checkout", "--name=worse", "--wait").expect(t, 1)
	w.waitForArchived("worse")
	w.WaitFor("the failure is said to be older", func() bool { return strings.Contains(ada.types("results", "worse").out, "failing since bad") })
	ada.types("results", "worse", "-o", "json").expect(t, 0, `"mark": "failing"`, `"failingSince": "bad"`)
}

func TestOutputIsFollowedAndFailedAttemptsAreFound(t *testing.T) {
	w := withOperator(t)
	ada := w.developer().withArchive()
	ada.types("logs", "--failed").expect(t, 11).says(t, "no run in namespace "+w.Namespace+" has failed")
	ada.types("run", "checkout", "--name=bad", "--follow").expect(t, 1, "prove -v t/", "ok 1 - adds an article").says(t, "bad: Pending", "bad: Failed")
	ada.types("logs", "--failed").expect(t, 0, "not ok 2").says(t, "bad: Failed")
	ada.types("logs", "--failed", "--test=checkout").expect(t, 0, "not ok 2")
	ada.types("logs", "--failed", "bad").expect(t, 0, "not ok 2")
	ada.types("logs", "bad", "--attempt=1").expect(t, 0, "not ok 2")
	ada.types("logs", "bad", "-f").expect(t, 0, "not ok 2")
	w.waitForArchived("bad")
	w.delete("bad")
	ada.types("logs", "--failed").expect(t, 0, "not ok 2")
}

func TestThePageHasAnAddress(t *testing.T) {
	w := newWorld(t)
	ada := w.developer().withArchive()
	ada.types("ui").expect(t, 0, site.Server.URL+"/?namespace="+w.Namespace)
	ada.types("ui", "bad").expect(t, 0, site.Server.URL+"/namespaces/"+w.Namespace+"/runs/bad")
	token := ada.types("ui", "--show-token").expect(t, 0)
	if strings.Count(token.out, ".") != 2 {
		t.Errorf("that is no token: %s", token.out)
	}
}

func TestWhoWaitsIsToldHowFarTheTestIs(t *testing.T) {
	w := withOperator(t)
	ada := w.developer().withArchive()
	ada.types("run", "soak", "--name=endless").expect(t, 0)
	run := w.WaitForInProgress("endless")
	w.WaitFor("the archive takes how far it is", func() bool {
		owner := archive.Owner{
			UID: string(run.UID), Namespace: run.Namespace, Name: run.Name, Test: "soak", Series: "soak", Created: run.CreationTimestamp.Time, Attempt: 1,
		}
		return site.Store.SetProgress(w.Ctx, []archive.AttemptProgress{{Owner: owner, Progress: push.Progress{Done: 12, Failed: 1, Total: 40}}}) == nil && strings.Contains(ada.types("why", "endless").out, "12/40")
	})
	ada.types("why", "endless").expect(t, 0, "Cases so far: 12/40, 1 failed.")
	screen := ada.inTerminal("watch")
	screen.waitFor("the screen says how far it is", "12/40, 1 failed")
	screen.interrupt()
	ada.types("wait", "endless", "--timeout=9s").expect(t, 12).says(t, "endless: InProgress, 12/40 cases done, 1 failed")
	ada.types("cancel", "endless").expect(t, 0)
}
