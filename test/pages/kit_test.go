package pages

import (
	"context"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/builders"
)

// world is a site and who looks at it.
type world struct {
	*testing.T
	site   *Site
	tokens map[string]string
}

// users are made once: they are the same for all tests.
var users = sync.OnceValues(func() (map[string]string, error) { return AddUsers(context.Background()) })

func newWorld(t *testing.T) *world {
	t.Helper()
	tokens, err := users()
	if err != nil {
		t.Fatal(err)
	}
	site, err := Start(t.Context(), apiserver.Config, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	site.Server.StartTLS()
	t.Cleanup(func() {
		if err := site.Close(); err != nil {
			t.Error(err)
		}
	})
	return &world{t, site, tokens}
}

// person looks at pages as a browser without a script does.
type person struct {
	*testing.T
	site   *Site
	client *http.Client
}

// logIn is that user, logged in.
func (w *world) logIn(user string) *person {
	w.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.Fatal(err)
	}
	client := *w.site.Server.Client()
	client.Jar = jar
	p := &person{w.T, w.site, &client}
	if got := p.post("/login", "token", w.tokens[user]); got.status != http.StatusOK {
		w.Fatalf("%s cannot log in: %s", user, got.text)
	}
	return p
}

// shown is a page, as it came in the end.
type shown struct {
	status     int
	path, text string
}

func (p *person) get(path string) shown {
	p.Helper()
	return p.do(http.MethodGet, path, nil)
}

// post sends a form of names and values.
func (p *person) post(path string, fields ...string) shown {
	p.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	return p.do(http.MethodPost, path, strings.NewReader(form.Encode()))
}

func (p *person) do(method, path string, body io.Reader) shown {
	p.Helper()
	request, err := http.NewRequestWithContext(p.Context(), method, p.site.Server.URL+path, body)
	if err != nil {
		p.Fatal(err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := p.client.Do(request)
	if err != nil {
		p.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		p.Fatal(err)
	}
	return shown{response.StatusCode, response.Request.URL.RequestURI(), string(text)}
}

var noticeText = regexp.MustCompile(`(?s)<div class="notice said.*?</div>`)

// said is the notice of the page, in plain text.
func (s shown) said() string {
	return strings.Join(strings.Fields(html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(noticeText.FindString(s.text), " "))), " ")
}

// offers says whether the page has a button with this label.
func (s shown) offers(label string) bool {
	return regexp.MustCompile(`<button[^>]*>` + label + `</button>`).MatchString(s.text)
}

// newRun is a run that is in the cluster, and in the archive.
func (w *world) newRun(namespace, name string, change ...func(*v1alpha1.TestRun)) *v1alpha1.TestRun {
	w.Helper()
	run := &v1alpha1.TestRun{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: name + "-"}}
	spec := builders.TestSpec("true")
	run.Spec.TestSpec = &spec
	for _, c := range change {
		c(run)
	}
	status := run.Status
	if err := apiserver.Client.Create(w.Context(), run); err != nil {
		w.Fatal(err)
	}
	if status.Phase != "" {
		run.Status = status
		if err := apiserver.Client.Status().Update(w.Context(), run); err != nil {
			w.Fatal(err)
		}
	}
	w.heard(run)
	return run
}

// heard keeps the run in the archive, as it is now.
func (w *world) heard(run *v1alpha1.TestRun) {
	w.Helper()
	phase := string(run.Status.Phase)
	if phase == "" {
		phase = "Pending"
	}
	kept := archive.Run{
		UID: string(run.UID), Namespace: run.Namespace, Name: run.Name, Series: run.GenerateName, Phase: phase, Verdict: string(run.Status.Verdict),
		Pinned: run.Annotations[v1alpha1.AnnotationPinned] == "true", Created: run.CreationTimestamp.Time, ResourceVersion: run.ResourceVersion,
	}
	if err := w.site.Keep(w.Context(), archive.RunState{Run: kept, Object: ObjectOf(kept)}); err != nil {
		w.Fatal(err)
	}
}

// now is the run as it is in the cluster.
func (w *world) now(run *v1alpha1.TestRun) *v1alpha1.TestRun {
	w.Helper()
	found := &v1alpha1.TestRun{}
	if err := apiserver.Client.Get(w.Context(), client.ObjectKeyFromObject(run), found); err != nil {
		w.Fatal(err)
	}
	return found
}

func (w *world) repeats(run *v1alpha1.TestRun) []v1alpha1.TestRun {
	w.Helper()
	var list v1alpha1.TestRunList
	err := apiserver.Client.List(w.Context(), &list, client.InNamespace(run.Namespace), client.MatchingFields{"spec.rerunOf.name": run.Name})
	if err != nil {
		w.Fatal(err)
	}
	return list.Items
}

// audited are the actions and results of the audit of a namespace about a run, the newest first.
func (w *world) audited(run *v1alpha1.TestRun) []string {
	w.Helper()
	entries, _, err := w.site.Store.AuditLog(w.Context(), run.Namespace, 0, 100)
	if err != nil {
		w.Fatal(err)
	}
	var found []string
	for _, e := range entries {
		if e.UID == string(run.UID) {
			found = append(found, e.User+" "+e.Action+": "+e.Result)
		}
	}
	return found
}

func inProgress(run *v1alpha1.TestRun) {
	run.Status.Phase, run.Status.StartTime = v1alpha1.PhaseInProgress, &metav1.Time{Time: time.Now()}
}

func clientKey(name string) client.ObjectKey { return client.ObjectKey{Name: name} }
