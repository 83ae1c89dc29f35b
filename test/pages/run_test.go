package pages

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/results"
	"github.com/testrun-dev/testrun/test/apiserver"
)

// full is the site with the made-up runs. It is filled once for all tests that change nothing that others look at.
var full = sync.OnceValues(func() (*Site, error) {
	folder, err := os.MkdirTemp("", "testrun-full")
	if err != nil {
		return nil, err
	}
	site, err := Start(context.Background(), apiserver.Config, folder)
	if err != nil {
		return nil, err
	}
	site.Server.StartTLS()
	closeFull = func() error { return errors.Join(site.Close(), os.RemoveAll(folder)) }
	return site, site.Fill(context.Background(), time.Now())
})

// closeFull removes the full site, if there is one.
var closeFull = func() error { return nil }

// filled is the site with the made-up runs, and Ada, who may see them all.
func filled(t *testing.T) (w *world, ada *person) {
	t.Helper()
	tokens, err := users()
	if err != nil {
		t.Fatal(err)
	}
	site, err := full()
	if err != nil {
		t.Fatal(err)
	}
	w = &world{t, site, tokens}
	ada = w.logIn(Ada)
	return w, ada
}

// expect holds a page against what is to be on it, and what must not be.
func (p *person) expect(path string, status int, has []string, lacks ...string) shown {
	p.Helper()
	page := p.get(path)
	if page.status != status {
		p.Errorf("%s is answered with %d, not %d:\n%.600s", path, page.status, status, page.text)
	}
	for _, text := range has {
		if !strings.Contains(page.text, text) {
			p.Errorf("%s lacks %q", path, text)
		}
	}
	for _, text := range lacks {
		if strings.Contains(page.text, text) {
			p.Errorf("%s has %q", path, text)
		}
	}
	return page
}

func TestTheRunPageShowsWhatFailedAndWhy(t *testing.T) {
	_, ada := filled(t)
	uid := UIDOf("checkout", 59)
	page := ada.expect("/runs/"+uid, http.StatusOK, []string{
		"<title>Failed: checkout-", "two coupons add up", "failing since", "Failed test &#39;two coupons add up&#39;", "case=5", "BROWSER", "firefox",
		"/namespaces/shop/series/checkout/case?name=two&#43;coupons&#43;add&#43;up&amp;suite=t%2Fdiscount.t", "kubectl --namespace=shop logs",
	})
	if failures, cases := strings.Index(page.text, "What failed"), strings.Index(page.text, "<h2>Cases"); failures < 0 || failures > cases {
		t.Error("the failures do not come first")
	}
	if strings.Contains(page.text, "data-live") {
		t.Error("a run that finished long ago is listened to")
	}
	ada.expect("/runs/"+uid+"/output?attempt=1&case=5", http.StatusOK, []string{`class="line is"`, `<span class="f2">not ok 5 - two coupons add up</span>`})
	ada.expect("/runs/"+uid+"/output?attempt=1&case=1", http.StatusOK, []string{`class="line is"`})
	ada.expect("/runs/"+uid+"/compare", http.StatusOK, []string{"two coupons add up", "Passed", "Failed"})
}

func TestTheRunPageSaysWhyARunWaitsAndHowFarItIs(t *testing.T) {
	_, ada := filled(t)
	ada.expect("/runs/"+Waiting, http.StatusOK, []string{"<title>Pending: ", "4 of 4 runs run", "data-live"}, "What failed")
	ada.expect("/runs/"+Running, http.StatusOK, []string{"<title>In progress: ", `<progress max="10" value="6"`, `data-run="` + Running + `"`})
	ada.expect("/runs/"+Waiting+"/output", http.StatusOK, []string{"has had no attempt yet"})
}

func TestTheRunPageSaysWhatIsMissing(t *testing.T) {
	_, ada := filled(t)
	ada.expect("/runs/"+Holed, http.StatusOK, []string{
		"video.webm is larger than 64 MiB", "A part of the output is missing.", "4 KiB at byte", "shots/basket &lt;1&gt;.png", "39983 of 40000 bytes never arrived",
	})
	ada.expect("/runs/"+Holed+"/output", http.StatusOK, []string{"4 KiB missing here", "the last of it"})
	ada.expect("/runs/"+Holed+"/output?q=nowhere", http.StatusOK, []string{"Nothing in the output is like that."})
	ada.expect("/runs/"+Holed+"/output?case=1&attempt=1", http.StatusOK, []string{`class="line is"`})
	ada.expect("/runs/"+Holed+"/output?case=3&attempt=1", http.StatusOK, []string{"not found in the output"})
	ada.expect("/runs/"+Retried+"/compare", http.StatusOK, []string{"nothing to compare with"})
}

func TestAttemptsAreTabs(t *testing.T) {
	_, ada := filled(t)
	ada.expect("/runs/"+Retried, http.StatusOK, []string{`href="?attempt=1"`, `href="?attempt=2" aria-current="page"`}, "What failed")
	ada.expect("/runs/"+Retried+"?attempt=1", http.StatusOK, []string{"What failed", "compares prices"})
	ada.expect("/runs/"+Retried+"?attempt=3", http.StatusNotFound, []string{"no such attempt"})
	ada.expect("/runs/"+Retried+"/output?attempt=1", http.StatusOK, []string{"attempt 1"}, "attempt 2</span>")
	if page := ada.get("/namespaces/shop/runs/odd-retried"); page.path != "/runs/"+Retried {
		t.Errorf("the name leads to %s", page.path)
	}
}

func TestAnArtifactIsSavedAndNeverShown(t *testing.T) {
	_, ada := filled(t)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, ada.site.Server.URL+"/runs/"+UIDOf("checkout", 55)+"/artifact?attempt=1&path=report%2Findex.html", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := ada.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	for name, want := range map[string]string{
		"Content-Disposition": "attachment; filename=index.html", "Content-Type": "application/octet-stream", "X-Content-Type-Options": "nosniff",
	} {
		if got := response.Header.Get(name); got != want {
			t.Errorf("%s is %q, not %q", name, got, want)
		}
	}
	if policy := response.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") {
		t.Errorf("the policy is %q", policy)
	}
	ada.expect("/runs/"+UIDOf("checkout", 55)+"/artifact?attempt=1&path=never", http.StatusNotFound, []string{"<h1>"})
	ada.expect("/runs/"+Holed+"/artifact?attempt=1&path=shots%2Fbasket+%3C1%3E.png", http.StatusConflict, []string{"partial"})
}

func TestALongOutputHasPagesWithoutTheScript(t *testing.T) {
	_, ada := filled(t)
	path := "/runs/" + Long + "/output"
	first := ada.expect(path, http.StatusOK, []string{`id="L1"`, `id="L500"`, "Lines after", "20000 lines"}, `id="L501"`, "Lines before")
	seen := map[string]bool{}
	for page := first; len(seen) < 45; {
		for _, id := range regexp.MustCompile(`id="L(\d+00)"`).FindAllStringSubmatch(page.text, -1) {
			seen[id[1]] = true
		}
		next := regexp.MustCompile(`rel="next" href="([^"]*)">Lines after`).FindStringSubmatch(page.text)
		if next == nil {
			break
		}
		page = ada.get(path + strings.ReplaceAll(next[1], "&amp;", "&"))
	}
	if len(seen) < 40 {
		t.Errorf("only %d places were seen", len(seen))
	}
	ada.expect(path+"?end=1", http.StatusOK, []string{`id="L20000"`})
	ada.expect(path+"?line=15000", http.StatusOK, []string{`id="L15000" class="line is"`})
	ada.expect(path+"?line=99999", http.StatusOK, []string{"There is no such line"})
	part := ada.expect(path+"?line=7001&part=lines", http.StatusOK, []string{`id="L7001"`, `id="L7500"`}, `id="L7000"`, `class="line is"`, "<html")
	if strings.Count(part.text, "class=\"line") != 500 {
		t.Error("a piece for the script has not 500 lines")
	}
	found := ada.expect(path+"?q=NOT+ok+2", http.StatusOK, []string{`id="L10001" class="line is"`, "Line 10001"})
	if !strings.Contains(found.text, "back=1") {
		t.Error("one cannot search backward")
	}
	ada.expect(path+"?q=not+ok+2&line=10002", http.StatusOK, []string{`id="L10001" class="line is"`}) // around the end
	if raw := ada.get(path + "/raw"); raw.text != LongText(LongLines) {
		t.Error("the download is not what was printed")
	}
}

func TestTheCasesOfARunHavePagesAndAreSelected(t *testing.T) {
	w, ada := filled(t)
	run := archive.Run{UID: "0dd00000-0000-4000-8000-0000000000ff", Namespace: "shop", Name: "many", Series: "many", Phase: "Finished", Verdict: "Passed", Created: time.Now(), ResourceVersion: "1"}
	keepCases(t, w, run, func(i int) push.Case {
		return push.Case{Suite: "s", Name: fmt.Sprintf("case %03d", i), Outcome: []results.Outcome{results.Passed, results.Skipped}[i%2]}
	})
	first := ada.expect("/runs/"+run.UID, http.StatusOK, []string{"case 000", "case 049", `rel="next"`}, "case 050")
	next := regexp.MustCompile(`rel="next" href="([^"#]*)`).FindStringSubmatch(first.text)
	ada.expect("/runs/"+run.UID+strings.ReplaceAll(next[1], "&amp;", "&"), http.StatusOK, []string{"case 050", "case 099"}, "case 049", "case 100")
	ada.expect("/runs/"+run.UID+"?outcome=Skipped", http.StatusOK, []string{"case 001", "case 099"}, "case 002")
	ada.expect("/runs/"+run.UID+"?outcome=Errored", http.StatusOK, []string{"No case ended so."})
}

func keepCases(t *testing.T, w *world, run archive.Run, each func(int) push.Case) {
	t.Helper()
	attempt := archive.Attempt{UID: run.UID, Number: 1, Verdict: run.Verdict, Created: run.Created, Started: run.Created, Finished: run.Created}
	if err := w.site.Keep(t.Context(), archive.RunState{Run: run, Attempts: []archive.Attempt{attempt}, Object: ObjectOf(run)}); err != nil {
		t.Fatal(err)
	}
	var cases []push.Case
	for i := range 120 {
		cases = append(cases, each(i))
	}
	if err := w.site.KeepCases(t.Context(), OwnerOf(run), cases...); err != nil {
		t.Fatal(err)
	}
}

func TestNothingThatATestSaysBecomesAPartOfThePage(t *testing.T) {
	w, ada := filled(t)
	const hostile = `"><script>alert(1)</script><img src=x onerror=alert(2)>' onload='alert(3) javascript:alert(4)`
	run := archive.Run{
		UID: "0dd00000-0000-4000-8000-0000000000fe", Namespace: "shop", Name: hostile, Test: hostile, Series: hostile, Labels: map[string]string{hostile: hostile},
		Phase: "Finished", Verdict: "Failed", Reason: hostile, Message: hostile, Created: time.Now(), ResourceVersion: "1",
	}
	keepCases(t, w, run, func(i int) push.Case {
		return push.Case{Suite: hostile, Name: fmt.Sprint(hostile, i), Outcome: results.Failed, Location: hostile, Message: strings.Repeat(hostile+"\n", 30)}
	})
	for stream, text := range map[push.Stream]string{{Kind: push.Output}: "\x1b[31m" + hostile + "\n\x1b]0;" + hostile + "\a\n", {Kind: push.Artifact, Path: hostile}: hostile} {
		if err := w.site.KeepStream(t.Context(), OwnerOf(run), stream, text); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"", "/output", "/output?q=%3Cscript%3E", "/output?part=lines", "/compare", "?attempt=%22%3E%3Cscript%3E", "?outcome=%22%3E%3Cscript%3E", "/output?q=%22%3E%3Cscript%3Ealert(1)"} {
		page := ada.get("/runs/" + run.UID + path)
		rest := strings.ReplaceAll(page.text, `<script src="/static/`, "")
		if strings.Contains(rest, "<script") || strings.Contains(rest, "<img") || regexp.MustCompile(`<[^>]* on[a-z]+=`).MatchString(regexp.MustCompile(`"[^"]*"`).ReplaceAllString(rest, "")) {
			t.Errorf("%s has what a test said as a part of it", path)
		}
		if strings.Contains(rest, `href="javascript`) {
			t.Errorf("%s leads to what a test said", path)
		}
	}
}

func TestWhoMaySeeTheRunAloneIsToldSo(t *testing.T) {
	w, _ := filled(t)
	const half = "half"
	rule := rbacv1.PolicyRule{APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"testruns"}, Verbs: []string{"get", "list"}}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "people", Name: half}}
	for _, object := range append([]client.Object{account}, allowed("shop", half, rule)...) {
		if err := apiserver.Client.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if w.tokens[half], err = tokenOf(t.Context(), half); err != nil {
		t.Fatal(err)
	}
	p := w.logIn(half)
	uid := UIDOf("checkout", 55)
	p.expect("/runs/"+uid, http.StatusOK, []string{"testruns/artifacts"}, "report/index.html")
	p.expect("/runs/"+uid+"/output", http.StatusOK, []string{"testruns/log"}, `id="L1"`)
	p.expect("/runs/"+uid+"/output/raw", http.StatusForbidden, []string{"testruns/log"})
	p.expect("/runs/"+uid+"/artifact?path=report%2Findex.html", http.StatusForbidden, []string{"testruns/artifacts"})
	for user, status := range map[string]int{Eve: http.StatusNotFound, Grace: http.StatusOK} {
		other := w.logIn(user)
		for _, path := range []string{"", "/output", "/output/raw", "/compare"} {
			if page := other.get("/runs/" + uid + path); page.status != status {
				t.Errorf("for %s, %q is answered with %d", user, path, page.status)
			}
		}
	}
}
