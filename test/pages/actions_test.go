package pages

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/apiserver"
)

const (
	everything = "Rerun Cancel Pin"
	refused    = "You may not do this."
	nothing    = "There is nothing here that you may see"
)

func TestEachUserIsOfferedAndCanDoWhatTheyMay(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct{ user, namespace, offered, said string }{
		{Ada, "shop", everything, "Run NAME is being cancelled."},
		{Ada, "payments", everything, "Run NAME is being cancelled."},
		{Grace, "shop", "", refused},
		{Grace, "payments", "", nothing},
		{Eve, "shop", "", nothing},
	} {
		t.Run(c.user+" in "+c.namespace, func(t *testing.T) {
			w := &world{t, w.site, w.tokens}
			run, p := w.newRun(c.namespace, "smoke", inProgress), w.logIn(c.user)
			list := p.get("/?namespace=" + c.namespace)
			for _, label := range strings.Fields(everything) {
				if want := strings.Contains(c.offered, label); list.offers(label) != want {
					t.Errorf("the list offers %s: %v", label, !want)
				}
			}
			got := p.post("/runs/" + string(run.UID) + "/cancel")
			if want := strings.ReplaceAll(c.said, "NAME", run.Name); !strings.HasPrefix(got.said(), want) && !strings.Contains(got.text, want) {
				t.Errorf("it says %q, not %q: %s", got.said(), want, got.text)
			}
			now := w.now(run)
			if cancelled, may := now.Spec.Cancel != nil && *now.Spec.Cancel, c.offered != ""; cancelled != may {
				t.Errorf("the run is cancelled: %v", cancelled)
			}
		})
	}
}

func TestEachActionDoesWhatItSays(t *testing.T) {
	w := newWorld(t)
	ada := w.logIn(Ada)
	for _, c := range []struct {
		action, said string
		is           func(run *v1alpha1.TestRun) bool
	}{
		{"cancel", "is being cancelled.", func(run *v1alpha1.TestRun) bool { return *run.Spec.Cancel }},
		{"pin", "is pinned: retention keeps it.", func(run *v1alpha1.TestRun) bool { return run.Annotations[v1alpha1.AnnotationPinned] == "true" }},
		{"unpin", "is not pinned any more.", func(run *v1alpha1.TestRun) bool {
			_, pinned := run.Annotations[v1alpha1.AnnotationPinned]
			return !pinned
		}},
		{"rerun", "A run was created that repeats", func(run *v1alpha1.TestRun) bool { return len(w.repeats(run)) == 1 }},
	} {
		t.Run(c.action, func(t *testing.T) {
			w := &world{t, w.site, w.tokens}
			run := w.newRun("shop", "smoke", inProgress, func(run *v1alpha1.TestRun) {
				if c.action == "unpin" {
					run.Annotations = map[string]string{v1alpha1.AnnotationPinned: "true"}
				}
			})
			got := ada.post("/runs/"+string(run.UID)+"/"+c.action, "key", "1")
			if !strings.Contains(got.said(), c.said) || !c.is(w.now(run)) {
				t.Errorf("it says %q, and the run is %+v", got.said(), w.now(run))
			}
			if got := ada.get(got.path); got.said() != "" {
				t.Errorf("it says again: %q", got.said())
			}
			audit := w.audited(run)
			if len(audit) != 1 || !strings.HasPrefix(audit[0], "system:serviceaccount:people:ada "+c.action+": ") {
				t.Errorf("the audit has %q", audit)
			}
		})
	}
}

func TestAFormThatIsSentTwiceDoesItsWorkOnce(t *testing.T) {
	w := newWorld(t)
	ada := w.logIn(Ada)
	for _, action := range []string{"cancel", "pin", "rerun"} {
		t.Run(action, func(t *testing.T) {
			w := &world{t, w.site, w.tokens}
			run := w.newRun("shop", "smoke", inProgress)
			for range 2 {
				if got := ada.post("/runs/"+string(run.UID)+"/"+action, "key", "the same"); !strings.Contains(got.said(), run.Name) {
					t.Errorf("it says %q", got.said())
				}
			}
			if audit := w.audited(run); len(audit) != 1 {
				t.Errorf("the audit has %q", audit)
			}
			if repeats := w.repeats(run); action == "rerun" && len(repeats) != 1 {
				t.Errorf("there are %d", len(repeats))
			}
		})
	}
}

func TestARerunAsksForWhatTheRunAskedFor(t *testing.T) {
	w := newWorld(t)
	priority := int32(7)
	run := w.newRun("shop", "nightly", inProgress, func(run *v1alpha1.TestRun) {
		run.Labels = map[string]string{"team": "a", "testrun.dev/series": "night", "testrun.dev/suite": "all"}
		run.Spec.Queue, run.Spec.Priority = "slow", &priority
	})
	w.logIn(Ada).post("/runs/" + string(run.UID) + "/rerun")
	repeats := w.repeats(run)
	if len(repeats) != 1 {
		t.Fatalf("there are %d", len(repeats))
	}
	again := repeats[0]
	if !strings.HasPrefix(again.Name, "nightly-") || again.GenerateName != "nightly-" || again.Spec.Queue != "slow" || *again.Spec.Priority != 7 {
		t.Errorf("it is %+v", again)
	}
	if again.Labels["team"] != "a" || again.Labels["testrun.dev/series"] != "night" || again.Labels["testrun.dev/suite"] != "" {
		t.Errorf("its labels are %v", again.Labels)
	}
}

func TestTheNameOfARerunFitsHoweverLongThatOfTheRunIs(t *testing.T) {
	w := newWorld(t)
	run := w.newRun("shop", "x", inProgress, func(run *v1alpha1.TestRun) { run.GenerateName, run.Name = "", strings.Repeat("a.", 28)+"bc" })
	if got := w.logIn(Ada).post("/runs/" + string(run.UID) + "/rerun"); len(w.repeats(run)) != 1 {
		t.Errorf("it says %q", got.said())
	}
}

func TestSeveralRunsAreDoneAtOnceAndItIsSaidWhichFailed(t *testing.T) {
	w := newWorld(t)
	ada := w.logIn(Ada)
	running, finished, gone, hers := w.newRun("shop", "running", inProgress), w.newRun("shop", "finished", func(run *v1alpha1.TestRun) {
		run.Status.Phase, run.Status.Verdict = v1alpha1.PhaseFinished, v1alpha1.VerdictPassed
	}), w.newRun("shop", "gone", inProgress), w.newRun("payments", "hers", inProgress)
	if err := apiserver.Client.Delete(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	fields := []string{"action", "cancel", "back", "/?namespace=shop&state=Failed"}
	for _, run := range []*v1alpha1.TestRun{running, finished, gone, hers, running} {
		fields = append(fields, "uid", string(run.UID))
	}
	got := ada.post("/runs", append(fields, "uid", "not-there")...)
	if got.path != "/?namespace=shop&state=Failed" {
		t.Errorf("it leads to %s", got.path)
	}
	for _, want := range []string{
		"2 runs are being cancelled.", "3 cannot be cancelled.", "Run " + finished.Name + " has finished. There is nothing to cancel.",
		"Run " + gone.Name + " is not in the cluster any more.", "One of them does not exist, or you may not see it.",
	} {
		if !strings.Contains(got.said(), want) {
			t.Errorf("%q is not in %q", want, got.said())
		}
	}
	for _, run := range []*v1alpha1.TestRun{running, hers} {
		if cancel := w.now(run).Spec.Cancel; cancel == nil || !*cancel {
			t.Errorf("%s is not cancelled", run.Name)
		}
	}
	got = w.logIn(Grace).post("/runs", "action", "pin", "uid", string(running.UID), "uid", string(hers.UID))
	if said := got.said(); !strings.Contains(said, "2 cannot be pinned.") || !strings.Contains(said, "cannot patch resource") || strings.Contains(said, hers.Name) {
		t.Errorf("grace is told %q", said)
	}
	if audit := w.audited(running); len(audit) != 2 || !strings.Contains(audit[0], "grace pin: refused: ") {
		t.Errorf("the audit has %q", audit)
	}
	if len(w.audited(gone)) != 0 {
		t.Error("the audit has what did not happen")
	}
}

func TestWhatCannotBeDoneWithSeveralIsRefusedInASentence(t *testing.T) {
	w := newWorld(t)
	ada := w.logIn(Ada)
	if got := ada.post("/runs", "action", "pin"); !strings.Contains(got.said(), "No run is selected.") {
		t.Errorf("of none it says %q", got.said())
	}
	var many []string
	for i := range 201 {
		many = append(many, "uid", fmt.Sprint(i))
	}
	if got := ada.post("/runs", append(many, "action", "pin")...); !strings.Contains(got.said(), "201 runs are too many at once") {
		t.Errorf("of many it says %q", got.said())
	}
	if got := ada.post("/runs", "action", "delete", "uid", "1"); got.status != http.StatusBadRequest {
		t.Errorf("an action that there is not is answered with %d", got.status)
	}
	if got := ada.post("/runs", "action", "pin", "back", "//evil.example/"); got.path != "/" {
		t.Errorf("it leads to %s", got.path)
	}
}

func TestARunIsNotMistakenForOneThatHasItsNameNow(t *testing.T) {
	w := newWorld(t)
	ada := w.logIn(Ada)
	old := w.newRun("shop", "x", inProgress, func(run *v1alpha1.TestRun) { run.GenerateName, run.Name = "", "named" })
	if err := apiserver.Client.Delete(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	now := w.newRun("shop", "x", inProgress, func(run *v1alpha1.TestRun) { run.GenerateName, run.Name = "", "named" })
	for _, action := range []string{"cancel", "pin", "unpin", "rerun"} {
		if got := ada.post("/runs/" + string(old.UID) + "/" + action); !strings.Contains(got.said(), "Run named is not in the cluster any more.") {
			t.Errorf("%s says %q", action, got.said())
		}
	}
	if found := w.now(now); found.Spec.Cancel != nil || found.Annotations[v1alpha1.AnnotationPinned] != "" || len(w.repeats(now)) != 0 {
		t.Errorf("it is %+v", found)
	}
}

func TestARunIsOpenedThatWasCreatedAndHeardOf(t *testing.T) {
	w := newWorld(t)
	run, ada := w.newRun("shop", "smoke", inProgress), w.logIn(Ada)
	ctx, cancel := context.WithCancel(t.Context())
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		for ctx.Err() == nil {
			var list v1alpha1.TestRunList
			if err := apiserver.Client.List(ctx, &list, client.InNamespace("shop"), client.MatchingFields{"spec.rerunOf.name": run.Name}); err == nil && len(list.Items) == 1 {
				w.heard(&list.Items[0]) //nolint:contextcheck // its context is that of the test
				return
			}
		}
	}()
	got := ada.post("/runs/" + string(run.UID) + "/rerun")
	cancel()
	<-heard
	if repeats := w.repeats(run); len(repeats) != 1 || got.path != "/runs/"+string(repeats[0].UID) {
		t.Errorf("it leads to %s", got.path)
	}
}

func TestANoticeIsForOnePersonAndOnePage(t *testing.T) {
	w := newWorld(t)
	run, ada, grace := w.newRun("shop", "smoke", inProgress), w.logIn(Ada), w.logIn(Grace)
	ada.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	ada.post("/runs", "action", "pin", "uid", string(run.UID))
	ada.client.CheckRedirect = nil
	at, err := http.NewRequest(http.MethodGet, w.site.Server.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	cookies := ada.client.Jar.Cookies(at.URL)
	notice := cookies[slices.IndexFunc(cookies, func(c *http.Cookie) bool { return c.Name == "__Host-testrun-said" })]
	if got := ada.get("/no-page"); got.said() != "" {
		t.Errorf("another page says %q", got.said())
	}
	grace.client.Jar.SetCookies(at.URL, []*http.Cookie{{Name: notice.Name, Value: notice.Value, Path: "/", Secure: true}})
	if got := grace.get("/"); got.said() != "" {
		t.Errorf("grace is told %q", got.said())
	}
	if got := ada.get("/"); got.said() == "" {
		t.Error("ada is told nothing")
	}
}
