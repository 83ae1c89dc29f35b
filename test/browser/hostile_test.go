package browser_test

import (
	"context"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/results"
	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/builders"
	"github.com/testrun-dev/testrun/test/kit"
	"github.com/testrun-dev/testrun/test/pages"
)

// hostile is what becomes an element, a script or an attribute wherever it is not escaped.
const hostile = `"'><img src=x onerror=window.hurt=1><script>window.hurt=1</script></textarea></title><svg onload=window.hurt=1>{{.}}` + "\x1b]8;;javascript:hurt\x07\x00\u202e"

// plain is hostile without what the API server refuses.
var plain = strings.ToValidUTF8(strings.Map(func(r rune) rune {
	if r < ' ' {
		return -1
	}
	return r
}, hostile), "")

// hurt counts what a hostile text has made of a page.
const hurt = `(window.hurt ? 1 : 0) + document.querySelectorAll('[onerror],[onload],img[src="x"],script:not([src]),a[href^="javascript:" i]').length`

// hostileSite has a run of which everything that a test or a user can say is hostile.
func hostileSite(t *testing.T) (s *pages.Site, uid string) {
	t.Helper()
	s, err := pages.Start(t.Context(), apiserver.Config, t.TempDir())
	must(t, err)
	s.Server.StartTLS()
	t.Cleanup(func() { must(t, s.Close()) })
	now := time.Now().Add(-time.Minute)
	run := archive.Run{
		UID: "00000000-0000-4000-8000-00000000000f", Namespace: "shop", Name: hostile, Test: hostile, Series: hostile, Labels: map[string]string{hostile: hostile},
		Phase: "Finished", Verdict: "Failed", Reason: hostile, Message: hostile, ResourceVersion: "1", Created: now, Started: now, Finished: now.Add(time.Second),
		Counts: archive.Counts{Failed: 1, Flaky: 1, Passed: 1},
	}
	attempt := archive.Attempt{
		UID: run.UID, Number: 1, Job: hostile, Pod: hostile, Node: hostile, Verdict: "Failed", Reason: hostile,
		Created: now, Started: now, Finished: now.Add(time.Second), Counts: run.Counts,
	}
	must(t, s.Keep(t.Context(), archive.RunState{Run: run, Attempts: []archive.Attempt{attempt}, Object: pages.ObjectOf(run)}))
	owner := pages.OwnerOf(run)
	must(t, s.KeepCases(t.Context(), owner,
		push.Case{Suite: hostile, Name: hostile, Outcome: results.Failed, Message: hostile, Location: hostile},
		push.Case{Suite: hostile, Name: hostile + "2", Outcome: results.Passed, Flaky: true, Message: hostile}))
	must(t, s.KeepStream(t.Context(), owner, push.Stream{Kind: push.Output}, strings.Repeat("\x1b[31m"+hostile+"\x1b[2J\n", 20)))
	for _, name := range []string{hostile + ".html", "page.html", "picture.svg"} {
		must(t, s.KeepStream(t.Context(), owner, push.Stream{Kind: push.Artifact, Path: name},
			`<svg xmlns="http://www.w3.org/2000/svg" onload="window.hurt=1"><script>window.hurt=1</script></svg>`))
	}
	addHostileObjects(t)
	return s, run.UID
}

// addHostileObjects adds a Test with a form, and a run that waits, of which everything that the API server takes is hostile.
func addHostileObjects(t *testing.T) {
	t.Helper()
	note := map[string]string{"testrun.example/note": plain}
	spec := builders.TestSpec(plain,
		v1alpha1.ParamSpec{Name: "FREE", Description: plain, Default: &plain},
		v1alpha1.ParamSpec{Name: "CHOICE", Description: plain, Enum: []string{plain, plain + "2"}, Required: new(true)})
	test := builders.Test("hostile", spec)
	test.Namespace, test.Annotations = "shop", note
	run := builders.TestRun("hostile").In("shop").Of("hostile").Param("FREE", plain).Param("CHOICE", plain).Build()
	run.Annotations = note
	queue := &v1alpha1.TestQueue{ObjectMeta: metav1.ObjectMeta{Name: "hostile", Annotations: note}}
	for _, object := range []client.Object{test, run, queue} {
		must(t, apiserver.Client.Create(t.Context(), object))
		t.Cleanup(func() { must(t, apiserver.Client.Delete(context.Background(), object)) })
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// answer is what came back, without its text.
type answer struct {
	status  int
	header  http.Header
	cookies []*http.Cookie
}

// visitor asks as a user who has logged in, and goes where it is sent.
type visitor struct {
	*testing.T
	site   *pages.Site
	client *http.Client
}

func newVisitor(t *testing.T, s *pages.Site, user string) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	must(t, err)
	client := *s.Server.Client()
	client.Jar = jar
	v := &visitor{t, s, &client}
	if user != "" {
		v.do(http.MethodPost, "/login", url.Values{"token": {site.tokens[user]}})
	}
	return v
}

func (v *visitor) do(method, path string, form url.Values) (got answer, text string) {
	v.Helper()
	ctx, cancel := context.WithTimeout(v.Context(), time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, v.site.Server.URL+path, strings.NewReader(form.Encode()))
	must(v.T, err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := v.client.Do(request)
	must(v.T, err)
	defer response.Body.Close()
	got = answer{response.StatusCode, response.Header, response.Cookies()}
	if strings.HasPrefix(got.header.Get("Content-Type"), "text/event-stream") {
		return got, ""
	}
	body, err := io.ReadAll(response.Body)
	must(v.T, err)
	return got, string(body)
}

var (
	linkTo   = regexp.MustCompile(`(?:href|src|data-live|action)="(/[^"]*)"`)
	variable = regexp.MustCompile(`[0-9a-f-]{36}|%[^/?&=]*|\d+`)
)

// crawl calls look for every address that links lead to from the first page: three of a kind, and so all kinds of pages, whoever adds them.
func (v *visitor) crawl(look func(path string, got answer, text string)) {
	v.Helper()
	const ofAKind, most = 3, 150
	kinds, seen, visited := map[string]int{}, map[string]bool{}, 0
	for next := []string{"/"}; len(next) > 0 && visited < most; next = next[1:] {
		path := next[0]
		visited++
		got, text := v.do(http.MethodGet, path, nil)
		look(path, got, text)
		for _, link := range linkTo.FindAllStringSubmatch(text, -1) {
			to := html.UnescapeString(link[1])
			kind := variable.ReplaceAllString(to, "*")
			if !seen[to] && kinds[kind] < ofAKind {
				seen[to] = true
				kinds[kind]++
				next = append(next, to)
			}
		}
	}
	v.Logf("%d addresses were visited, of %d kinds", visited, len(kinds))
}

// isPage says whether an answer is a page of ours.
func isPage(got answer, text string) bool {
	return strings.HasPrefix(got.header.Get("Content-Type"), "text/html") && strings.Contains(text, `<body class="page-`)
}

// expectGuarded says whether the headers of an answer keep it from being more than what it is.
func expectGuarded(t *testing.T, path string, got answer, text string) {
	t.Helper()
	policy := got.header.Get("Content-Security-Policy")
	want := map[string]string{"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin"}
	inside := []string{"default-src 'none'", "frame-ancestors 'none'"}
	if isPage(got, text) {
		want["X-Frame-Options"], want["Cache-Control"], want["Cross-Origin-Opener-Policy"] = "DENY", "no-store", "same-origin"
		inside = append(inside, "script-src 'self'", "form-action 'self'", "base-uri 'none'")
	} else if kind := got.header.Get("Content-Type"); strings.Contains(kind, "html") || strings.Contains(kind, "xml") && !strings.HasPrefix(path, "/static/") {
		if !strings.HasPrefix(got.header.Get("Content-Disposition"), "attachment") && !strings.Contains(policy, "sandbox") {
			t.Errorf("%s: %s of somebody else is opened in place", path, kind)
		}
	}
	for name, value := range want {
		if got.header.Get(name) != value {
			t.Errorf("%s: %s is %q, not %q", path, name, got.header.Get(name), value)
		}
	}
	for _, part := range inside {
		if !strings.Contains(policy, part) {
			t.Errorf("%s: the policy lacks %s: %s", path, part, policy)
		}
	}
	if strings.Contains(policy, "unsafe") || got.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%s: it is open to others: %v", path, got.header)
	}
}

func TestNoStoredTextBecomesAScript(t *testing.T) {
	s, uid := hostileSite(t)
	tab := tabOf(t, "")
	must(t, chromedp.Do(tab, logInAt(s, pages.Ada)))
	shown := 0
	look := func(path string, got answer, text string) {
		expectGuarded(t, path, got, text)
		if !isPage(got, text) {
			return
		}
		must(t, chromedp.Do(tab, chromedp.Navigate(s.Server.URL+path), chromedp.WaitVisible(chromedp.CSS("main"))))
		count, err := chromedp.Run(tab, chromedp.Evaluate[int](hurt))
		must(t, err)
		if count > 0 {
			t.Errorf("%s: what a test or a user has said became %d elements or scripts", path, count)
		}
		if strings.Contains(text, "window.hurt") {
			shown++
		}
	}
	ada := newVisitor(t, s, pages.Ada)
	ada.crawl(look)
	evil := url.QueryEscape(hostile)
	for _, path := range []string{
		"/runs/" + uid, "/namespaces/shop/series/hostile", "/queues/hostile", "/?series=" + evil, "/?label=" + evil, "/?namespace=" + evil, "/?state=" + evil, "/?after=" + evil, "/login?why=" + evil + "&next=/" + evil,
		"/nothing/" + url.PathEscape(hostile), "/static/" + evil, "/flaky?namespace=" + evil, "/tests?namespace=" + evil, "/queues/" + evil,
	} {
		got, text := ada.do(http.MethodGet, path, nil)
		look(path, got, text)
	}
	if shown == 0 {
		t.Error("no page shows the hostile text: the test tries nothing")
	}
}

// logInAt logs in at another site than the one of all tests.
func logInAt(s *pages.Site, user string) chromedp.Action[chromedp.Void] {
	return chromedp.Steps(
		chromedp.Navigate(s.Server.URL+"/login"), chromedp.SetValue(chromedp.CSS("textarea[name=token]"), site.tokens[user]),
		chromedp.Click(chromedp.CSS("form.stack button")), chromedp.WaitVisible(chromedp.CSS("header.top")),
	)
}

// A page of another site has the browser of somebody who is logged in send forms, fetch and frame.
func TestAnotherSiteDoesNothingInSomebodysName(t *testing.T) {
	s, uid := hostileSite(t)
	attacks := map[string]string{
		"a form that logs out":           form(s.Server.URL+"/logout", ""),
		"a form that logs somebody in":   form(s.Server.URL+"/login", `<textarea name="token">`+site.tokens[pages.Eve]+`</textarea>`),
		"a form that acts on a run":      form(s.Server.URL+"/runs/"+uid+"/pin", ""),
		"a request with cookies":         fmt.Sprintf(`<script>fetch(%q,{method:'POST',mode:'no-cors',credentials:'include'}).finally(()=>document.title='done')</script>`, s.Server.URL+"/logout"),
		"a request that reads":           fmt.Sprintf(`<script>fetch(%q,{credentials:'include'}).then(r=>r.text()).then(()=>document.title='read',()=>document.title='done')</script>`, s.Server.URL+"/"),
		"a frame around the first page":  fmt.Sprintf(`<iframe src=%q onload="document.title='done'"></iframe>`, s.Server.URL+"/"),
		"a script of ours, to look into": fmt.Sprintf(`<script src=%q onload="document.title='read'" onerror="document.title='done'"></script>`, s.Server.URL+"/"),
	}
	for name, body := range attacks {
		t.Run(name, func(t *testing.T) {
			other := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/html")
				_, _ = io.WriteString(w, "<!doctype html><title>evil</title><main>"+body+"</main>")
			}))
			defer other.Close()
			elsewhere := strings.Replace(other.URL, "127.0.0.1", "localhost", 1)
			tab := tabOf(t, "")
			must(t, chromedp.Do(tab, logInAt(s, pages.Ada), chromedp.Navigate(elsewhere+"/")))
			left := func() bool {
				title, err := chromedp.Run(tab, chromedp.Evaluate[string]("document.title"))
				return err == nil && title != "evil"
			}
			within, stop := context.WithTimeout(t.Context(), time.Minute)
			defer stop()
			kit.WaitUntil(within, left)
			title, err := chromedp.Run(tab, chromedp.Evaluate[string]("document.title + ' ' + document.body.textContent"))
			must(t, err)
			if strings.HasPrefix(title, "read") || strings.HasPrefix(title, "evil") {
				t.Errorf("the other site says %q", title)
			}
			must(t, chromedp.Do(tab, chromedp.Navigate(s.Server.URL+"/"), chromedp.WaitVisible(chromedp.CSS("main"))))
			who, err := chromedp.Run(tab, chromedp.Evaluate[string]("document.querySelector('.who .name')?.textContent ?? ''"))
			must(t, err)
			if !strings.HasSuffix(who, ":"+pages.Ada) {
				t.Errorf("afterwards %q is logged in", who)
			}
		})
	}
}

func form(action, fields string) string {
	return fmt.Sprintf(`<form method="post" action=%q>%s</form><script>document.forms[0].submit()</script>`, action, fields)
}

func TestASessionIsKeptAndEndedAsItShould(t *testing.T) {
	s, _ := hostileSite(t)
	v := newVisitor(t, s, "")
	v.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, next := range []string{"//evil.example", `/\evil.example`, "https://evil.example", "/\t/evil.example", "javascript:alert(1)", "%2f%2fevil.example", "///evil.example"} {
		got, _ := v.do(http.MethodPost, "/login", url.Values{"token": {site.tokens[pages.Ada]}, "next": {next}})
		if to := got.header.Get("Location"); got.status != http.StatusSeeOther || to != "/" {
			t.Errorf("with %q, logging in leads to %q", next, to)
		}
		for _, cookie := range got.cookies {
			if !cookie.Secure || !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" || cookie.Domain != "" || !strings.HasPrefix(cookie.Name, "__Host-") {
				t.Errorf("a cookie is %s", cookie.Raw)
			}
		}
	}
	address, err := url.Parse(s.Server.URL)
	must(t, err)
	kept := v.client.Jar.Cookies(address)
	v.do(http.MethodPost, "/logout", nil)
	for _, cookie := range kept {
		cookie.Path, cookie.Secure = "/", true
	}
	v.client.Jar.SetCookies(address, kept)
	for _, path := range []string{"/", "/live?namespace=shop", "/runs/x"} {
		if got, _ := v.do(http.MethodGet, path, nil); got.status != http.StatusSeeOther || !strings.HasPrefix(got.header.Get("Location"), "/login") {
			t.Errorf("after a logout, with the old cookie, %s is answered with %d", path, got.status)
		}
	}
}
