package pages

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/results"
	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/builders"
)

// newTest is a Test of the cluster, for as long as the test takes.
func (w *world) newTest(namespace, name string, params ...v1alpha1.ParamSpec) string {
	w.Helper()
	test := &v1alpha1.Test{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: builders.TestSpec("true", params...)}
	test.Spec.Description = hostile
	if err := apiserver.Client.Create(w.Context(), test); err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() {
		if err := apiserver.Client.Delete(context.Background(), test); err != nil {
			w.Error(err)
		}
	})
	return "/namespaces/" + namespace + "/series/" + name
}

const hostile = `"><script>alert(1)</script>' onload='alert(2)`

// runsOf are the runs of a Test that are in the cluster.
func (w *world) runsOf(namespace, test string) (found []v1alpha1.TestRun) {
	w.Helper()
	var list v1alpha1.TestRunList
	if err := apiserver.Client.List(w.Context(), &list, client.InNamespace(namespace)); err != nil {
		w.Fatal(err)
	}
	for _, run := range list.Items {
		if run.Spec.TestRef != nil && run.Spec.TestRef.Name == test {
			found = append(found, run)
		}
	}
	return found
}

// heardWhole keeps the run in the archive with its whole object.
func (w *world) heardWhole(run *v1alpha1.TestRun) {
	w.Helper()
	text, err := json.Marshal(run)
	if err != nil {
		w.Fatal(err)
	}
	kept := archive.Run{
		UID: string(run.UID), Namespace: run.Namespace, Name: run.Name, Test: run.Spec.TestRef.Name, Series: run.Spec.TestRef.Name, Phase: "Pending",
		Created: run.CreationTimestamp.Time, ResourceVersion: run.ResourceVersion,
	}
	if err := w.site.Keep(w.Context(), archive.RunState{Run: kept, Object: pack(string(text))}); err != nil {
		w.Fatal(err)
	}
}

var keyField = regexp.MustCompile(`name="key" value="([^"]+)"`)

func (s shown) key(t *testing.T) string {
	t.Helper()
	found := keyField.FindStringSubmatch(s.text)
	if found == nil {
		t.Fatalf("there is no form: %s", s.text)
	}
	return found[1]
}

func params() []v1alpha1.ParamSpec {
	firefox, yes := "firefox", true
	return []v1alpha1.ParamSpec{
		{Name: "BROWSER", Description: "The browser.", Enum: []string{"chromium", "firefox", hostile}, Default: &firefox},
		{Name: "BASE_URL", Description: hostile, Required: &yes},
		{Name: "TAGS"},
	}
}

func TestAFormThatIsSentTwiceCreatesOneRun(t *testing.T) {
	w := newWorld(t)
	path, ada := w.newTest("shop", "form", params()...), w.logIn(Ada)
	key := ada.get(path).key(t)
	send := func() shown {
		return ada.post(path, "key", key, "param-BROWSER", hostile, "param-BASE_URL", "http://shop.test/?a=1&b='2'", "param-TAGS", "")
	}
	got := send()
	runs := w.runsOf("shop", "form")
	if len(runs) != 1 {
		t.Fatalf("it created %d runs: %s", len(runs), got.text)
	}
	given := map[string]string{}
	for _, param := range runs[0].Spec.Params {
		given[param.Name] = *param.Value
	}
	if len(given) != 2 || given["BROWSER"] != hostile || given["BASE_URL"] != "http://shop.test/?a=1&b='2'" {
		t.Errorf("the run has the params %v", given)
	}
	if got.path != path || !strings.Contains(got.said(), runs[0].Name) {
		t.Errorf("as long as the archive has not heard of it, %s says %q", got.path, got.said())
	}
	w.heardWhole(&runs[0])
	if got := send(); got.path != "/runs/"+string(runs[0].UID) {
		t.Errorf("once it has, the form leads to %s", got.path)
	}
	if again := w.runsOf("shop", "form"); len(again) != 1 {
		t.Errorf("sent twice, it created %d runs", len(again))
	}
	changed := ada.post(path, "key", key, "param-BASE_URL", "http://other.test")
	if changed.status != http.StatusConflict || changed.key(t) == key || !strings.Contains(changed.text, "already created a run") {
		t.Errorf("sent again with other values, it says %d %s", changed.status, changed.text)
	}
}

func TestAFormThatIsRefusedSaysWhyAndKeepsWhatWasTyped(t *testing.T) {
	w := newWorld(t)
	path := w.newTest("shop", "refused", params()...)
	for _, c := range []struct {
		name, user  string
		fields      []string
		status      int
		says, keeps string
	}{
		{"a param is missing", Ada, []string{"param-BASE_URL", "", "param-TAGS", "kept"}, http.StatusUnprocessableEntity, "This is required.", `value="kept"`},
		{"a value is none that is allowed", Ada, []string{"param-BASE_URL", "kept", "param-BROWSER", "lynx"}, http.StatusUnprocessableEntity, "none of the values", `value="kept"`},
		{"the API server refuses a value", Ada, []string{"param-BASE_URL", strings.Repeat("x", 9000)}, http.StatusUnprocessableEntity, "Too long", strings.Repeat("x", 9000)},
		{"they may not create runs", Grace, []string{"param-BASE_URL", "kept"}, http.StatusForbidden, "cannot create resource", ""},
		{"they may see nothing", Eve, []string{"param-BASE_URL", "kept"}, http.StatusNotFound, "There is nothing here that you may see", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := &world{t, w.site, w.tokens}
			got := w.logIn(c.user).post(path, append(c.fields, "key", "once")...)
			if text := html.UnescapeString(got.text); got.status != c.status || !strings.Contains(text, c.says) || !strings.Contains(text, c.keeps) {
				t.Errorf("it answers %d %s", got.status, got.text)
			}
			if got.offers("Run") != (c.user == Ada) {
				t.Errorf("the form is offered: %v", got.offers("Run"))
			}
			if runs := w.runsOf("shop", "refused"); len(runs) != 0 {
				t.Errorf("there are %d runs", len(runs))
			}
		})
	}
}

func TestTestsAndCasesAreSeenByWhoMaySeeThem(t *testing.T) {
	w := newWorld(t)
	if err := w.site.Fill(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	checkout, ledger := "/namespaces/shop/series/checkout", "/namespaces/payments/series/ledger"
	coupons := checkout + "/case?suite=t/discount.t&name=two+coupons+add+up"
	for _, c := range []struct {
		user, path string
		status     int
		has, not   []string
	}{
		{Ada, "/tests", 200, []string{checkout, ledger, NeverRan, "Never ran", "The last 20 runs"}, nil},
		{Ada, "/tests?namespace=payments", 200, []string{ledger}, []string{checkout, NeverRan}},
		{Grace, "/tests", 200, []string{checkout, NeverRan}, []string{ledger}},
		{Grace, "/tests?namespace=payments", 404, nil, []string{ledger}},
		{Eve, "/tests", 200, []string{"No Tests yet", "kubectl apply"}, []string{checkout, NeverRan}},
		{Ada, checkout, 200, []string{">Run</button>", "generateName", "p95", "Flakiest cases", "Slowest cases", "/live?namespace=shop&amp;series=checkout", `href="/runs/` + UIDOf("checkout", 0)}, nil},
		{Grace, checkout, 200, []string{"You may not create runs"}, []string{">Run</button>"}},
		{Grace, ledger, 404, nil, []string{"ledger_test.go"}},
		{Eve, checkout, 404, nil, []string{"t/basket.t"}},
		{Ada, "/namespaces/shop/series/" + NeverRan, 200, []string{"It never ran", ">Run</button>"}, nil},
		{Ada, "/namespaces/shop/series/import", 200, []string{"These runs are of no Test"}, []string{">Run</button>"}},
		{Ada, "/namespaces/shop/series/never-was", 404, nil, nil},
		{Grace, coupons, 200, []string{"failing since <a href=\"/runs/" + UIDOf("checkout", 57), "3 times in a row", "expected: &#39;75.00&#39;", "30 days"}, nil},
		{Eve, coupons, 404, nil, []string{"75.00"}},
		{Ada, checkout + "/case?name=never-was", 404, nil, nil},
		{Ada, checkout + "/case", 404, nil, nil},
		{Ada, "/flaky", 200, []string{"forgives a typo", "ledger_test.go", "went wrong on"}, nil},
		{Grace, "/flaky", 200, []string{"forgives a typo"}, []string{"ledger_test.go"}},
		{Eve, "/flaky", 200, []string{"Nothing to compare yet"}, []string{"forgives a typo"}},
	} {
		got := w.logIn(c.user).get(c.path)
		if got.status != c.status {
			t.Errorf("%s gets %s: %d %s", c.user, c.path, got.status, got.text)
		}
		for _, text := range c.has {
			if !strings.Contains(got.text, text) {
				t.Errorf("%s at %s does not see %s: %s", c.user, c.path, text, got.text)
			}
		}
		for _, text := range c.not {
			if strings.Contains(got.text, text) {
				t.Errorf("%s at %s sees %s", c.user, c.path, text)
			}
		}
	}
}

func TestEachTestIsInOnePageOfTheList(t *testing.T) {
	w := newWorld(t)
	now := time.Now()
	for i := range 120 {
		run := archive.Run{
			UID: fmt.Sprintf("00000000-0000-4000-8000-%012d", i), Namespace: []string{"payments", "shop"}[i%2], Name: fmt.Sprintf("r-%d", i), Test: fmt.Sprintf("many-%03d", i), Series: fmt.Sprintf("many-%03d", i),
			Phase: "Finished", Verdict: "Passed", Created: now, Started: now, Finished: now, ResourceVersion: "1",
		}
		if err := w.site.Keep(t.Context(), archive.RunState{Run: run}); err != nil {
			t.Fatal(err)
		}
	}
	ada, seen, pages := w.logIn(Ada), map[string]int{}, 0
	for path := "/tests"; path != ""; pages++ {
		got := ada.get(path)
		for _, found := range regexp.MustCompile(`class="what"><a href="([^"]+)"`).FindAllStringSubmatch(got.text, -1) {
			seen[found[1]]++
		}
		path = ""
		if next := regexp.MustCompile(`rel="next" href="([^"]+)"`).FindStringSubmatch(got.text); next != nil {
			path = html.UnescapeString(next[1])
		}
	}
	for _, never := range []string{"shop/series/" + NeverRan, "shop/series/checkout", "payments/series/ledger", "shop/series/search"} {
		if seen["/namespaces/"+never] != 1 {
			t.Errorf("%s never ran, and is listed %d times", never, seen["/namespaces/"+never])
		}
	}
	if len(seen) != 124 || pages != 3 {
		t.Errorf("%d pages have %d Tests", pages, len(seen))
	}
}

func TestNothingThatATestOrAUserWroteIsTakenForHTML(t *testing.T) {
	w := newWorld(t)
	path := w.newTest("shop", "evil", params()...)
	now := time.Now().Add(-time.Hour)
	for i, outcome := range []results.Outcome{results.Passed, results.Failed, results.Failed} {
		at := now.Add(time.Duration(i) * time.Minute)
		run := archive.Run{
			UID: fmt.Sprintf("00000000-0000-4000-8000-%012d", i), Namespace: "shop", Name: fmt.Sprintf("evil-%d", i), Test: "evil", Series: "evil", Labels: map[string]string{"x": hostile},
			Phase: "Finished", Verdict: "Failed", Reason: hostile, Message: hostile, Created: at, Started: at, Finished: at.Add(time.Minute), ResourceVersion: "1", Counts: archive.Counts{Failed: 1},
		}
		attempt := archive.Attempt{UID: run.UID, Number: 1, Job: hostile, Pod: hostile, Created: at, Started: at, Finished: run.Finished, Verdict: "Failed"}
		if err := w.site.Keep(t.Context(), archive.RunState{Run: run, Attempts: []archive.Attempt{attempt}}); err != nil {
			t.Fatal(err)
		}
		if err := w.site.KeepCases(t.Context(), OwnerOf(run), push.Case{Suite: hostile, Name: hostile, Outcome: outcome, Message: hostile, Microseconds: 5}); err != nil {
			t.Fatal(err)
		}
	}
	ada := w.logIn(Ada)
	page := ada.get(path)
	link := regexp.MustCompile(`href="(/namespaces/shop/series/evil/case[^"]*)"`).FindStringSubmatch(page.text)
	if link == nil {
		t.Fatalf("the page of the Test has no link to its case: %s", page.text)
	}
	for name, got := range map[string]shown{
		"the page of the Test": page, "the case": ada.get(html.UnescapeString(link[1])), "the list of Tests": ada.get("/tests"), "flaky": ada.get("/flaky"),
		"a refused form": ada.post(path, "key", hostile, "param-TAGS", hostile, "param-BROWSER", hostile+"x"), "a link": ada.get(path + "/case?name=" + hostile),
	} {
		if strings.Contains(got.text, "<script>alert") || regexp.MustCompile(`<[^>]* onload='alert`).MatchString(got.text) || strings.Contains(got.text, " style=") {
			t.Errorf("%s holds what somebody wrote as it is: %s", name, got.text)
		}
		if name != "a link" && !strings.Contains(got.text, "alert(1)") {
			t.Errorf("%s does not show it at all: %d %s", name, got.status, got.text)
		}
	}
}
